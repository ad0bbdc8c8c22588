import { parseArgs, type ParseArgsConfig } from 'node:util'
import { printable } from '../bytes.ts'
import { CommandError } from './failure.ts'

/** One option of a subcommand; the key in `Syntax.options` is its long name. */
export interface Option {
  /** What follows it in the help, `FILE` for `--ca FILE`. An option without one takes no value. */
  readonly value?: string
  readonly help: string
  /** The only values it takes. */
  readonly choices?: readonly string[]
  /** It may be given several times; the values are joined with this. */
  readonly joinedBy?: string
  /** Told in the help; applied by the subcommand. */
  readonly defaultsTo?: string
  /** A heading for this option and those after it. */
  readonly heading?: string
}

/** What a subcommand takes: read by `readArguments` and printed by `helpText`. */
export interface Syntax {
  readonly name: string
  readonly usage: string
  readonly summary: string
  readonly options: Readonly<Record<string, Option>>
  readonly examples: readonly string[]
  readonly notes?: string
}

export interface Arguments {
  /** What was given without an option, in order. */
  readonly operands: readonly string[]
  /** The value of an option that has one. */
  value(option: string): string | undefined
  /** An option without a value was given. */
  has(option: string): boolean
  /** A whole number of at least `least`. */
  count(option: string, least: number): number | undefined
  /** `value` as one of the option's `choices`. */
  choice<T extends string>(option: string, choices: readonly T[]): T | undefined
}

const HELP: Option = { help: 'this page' }

/** Reads the arguments of a subcommand, or gives `undefined` when help is asked for. Throws `CommandError`; values are not repeated in it, one may be a secret. */
export function readArguments(syntax: Syntax, args: readonly string[]): Arguments | undefined {
  const options = new Map([...Object.entries(syntax.options), ['help', HELP] as const])
  const config: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } }
  for (const [name, option] of options) if (name !== 'help') config[name] = { type: option.value === undefined ? 'boolean' : 'string' }
  // The tokens of node:util's parser, judged here: its own complaints take three lines and repeat values.
  const { tokens } = parseArgs({ args: [...args], options: config, strict: false, allowPositionals: true, tokens: true })
  const see = `see «wirepost ${syntax.name} --help»`
  const values = new Map<string, string | true>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const option = options.get(token.name)
    if (option === undefined) throw unknownOption(token.rawName, [...options.keys()], see)
    const name = `--${token.name}`
    const earlier = values.get(token.name)
    if (earlier !== undefined && option.joinedBy === undefined && token.name !== 'help') throw new CommandError(`${name} is given twice; ${see}`)
    if (option.value === undefined) {
      if (token.value !== undefined) throw new CommandError(`${name} takes no value; ${see}`)
      values.set(token.name, true)
      continue
    }
    // `--from --json` is a forgotten value, not a value; `--body=--x` is meant.
    if (token.value === undefined || (!token.inlineValue && token.value.length > 1 && token.value.startsWith('-'))) {
      throw new CommandError(`${name} needs a value (${name} ${option.value}); one that begins with «-» is written ${name}=VALUE; ${see}`)
    }
    if (option.choices !== undefined && !option.choices.includes(token.value)) {
      throw new CommandError(`${name} is one of ${option.choices.join(', ')}${suggestion(token.value, option.choices)}; ${see}`)
    }
    values.set(token.name, typeof earlier === 'string' ? `${earlier}${option.joinedBy}${token.value}` : token.value)
  }
  if (values.has('help')) return undefined
  return {
    operands,
    value(name) {
      const value = values.get(name)
      return value === true ? undefined : value
    },
    has: (name) => values.has(name),
    count(name, least) {
      const value = values.get(name)
      if (value === undefined || value === true) return undefined
      const count = /^[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN
      if (!(count >= least)) throw new CommandError(`--${name} is a whole number, at least ${least}; ${see}`)
      return count
    },
    choice(name, choices) {
      const value = values.get(name)
      return choices.find((choice) => choice === value)
    },
  }
}

function unknownOption(given: string, names: readonly string[], see: string): CommandError {
  if (/^--?(?:password|passwd|pass|pw)$/.test(given)) {
    return new CommandError(
      'a password on the command line can be read by every user of this machine; set WIREPOST_PASSWORD or use --password-env NAME or --password-file FILE',
    )
  }
  const shown = printable(given, 60)
  const near = given.startsWith('--')
    ? suggestion(
        given,
        names.map((name) => `--${name}`),
      )
    : ''
  return new CommandError(`unknown option ${shown}${near}; ${see}`)
}

/** ` (did you mean …?)` when one of the names is near to what was written. */
export function suggestion(given: string, names: readonly string[]): string {
  // What is longer than any name is no slip of the fingers, and would cost quadratic time.
  if (given.length > 40) return ''
  let best: string | undefined
  let least = Math.max(1, Math.floor(given.replace(/^--/, '').length / 3)) + 1
  for (const name of names) {
    const distance = given.length > 4 && name.startsWith(given) ? 0 : editDistance(given.toLowerCase(), name)
    if (distance < least) [best, least] = [name, distance]
  }
  return best === undefined ? '' : ` (did you mean ${best}?)`
}

/** How many characters must be added, taken out, replaced or swapped with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1))
      if (!same && i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}

/** The page for `--help`, in lines of at most 100 characters. */
export function helpText(syntax: Syntax): string {
  const lines = [`wirepost ${syntax.name}: ${syntax.summary}`, '', `  wirepost ${syntax.name} ${syntax.usage}`, '']
  let heading = 'Options'
  for (const [index, [name, option]] of [...Object.entries(syntax.options), ['help', HELP] as const].entries()) {
    if (option.heading !== undefined || index === 0) {
      if (index > 0) lines.push('')
      heading = option.heading ?? heading
      lines.push(`${heading}:`)
    }
    const left = `  --${name}${option.value === undefined ? '' : ` ${option.value}`}`
    const choices = option.choices === undefined ? '' : `: ${option.choices.join(', ')}`
    const defaultsTo = option.defaultsTo === undefined ? '' : ` (default ${option.defaultsTo})`
    const [first, ...rest] = wrap(`${option.help}${choices}${defaultsTo}`, 68)
    lines.push(left.length > 29 ? left : left.padEnd(30) + (first ?? ''))
    if (left.length > 29) lines.push(' '.repeat(30) + (first ?? ''))
    for (const line of rest) lines.push(' '.repeat(30) + line)
  }
  if (syntax.notes !== undefined) lines.push('', ...syntax.notes.split('\n').flatMap((line) => wrap(line, 98)))
  lines.push('', syntax.examples.length === 1 ? 'Example:' : 'Examples:', ...syntax.examples.map((example) => `  ${example}`))
  return `${lines.join('\n')}\n`
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
