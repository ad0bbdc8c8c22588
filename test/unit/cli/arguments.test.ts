import { expect, test } from 'vitest'
import { helpText, readArguments, suggestion, type Syntax } from '../../../src/cli/arguments.ts'
import { GET_SYNTAX } from '../../../src/cli/get.ts'
import { SEND_SYNTAX } from '../../../src/cli/send.ts'
import { TEST_SYNTAX } from '../../../src/cli/test.ts'

const SYNTAX: Syntax = {
  name: 'get',
  usage: 'SERVER',
  summary: 'x',
  options: {
    out: { value: 'DIR', help: 'a' },
    to: { value: 'A', help: 'b', joinedBy: '; ' },
    how: { value: 'H', help: 'c', choices: ['direct', 'spool'] },
    limit: { value: 'N', help: 'd' },
    json: { help: 'e' },
  },
  examples: ['x'],
}

test('reads values, switches and operands in any order', () => {
  const given = readArguments(SYNTAX, [
    'pop3s://h',
    '--out=a b',
    '--json',
    '--to',
    'x@y',
    'z',
    '--to',
    'b@c',
    '--limit',
    '12',
    '--how',
    'spool',
    '--',
    '--json',
  ])
  expect(given?.operands).toEqual(['pop3s://h', 'z', '--json'])
  expect(given?.value('out')).toBe('a b')
  expect(given?.value('to')).toBe('x@y; b@c')
  expect(given?.has('json')).toBe(true)
  expect(given?.count('limit', 1)).toBe(12)
  expect(given?.choice('how', ['direct', 'spool'])).toBe('spool')
  expect(given?.value('json')).toBeUndefined()
})

test.each([[['--help']], [['-h']], [['x', '--json', '--help']]])('asks for help with %j', (args) =>
  expect(readArguments(SYNTAX, args)).toBeUndefined(),
)

test.each([
  ['an unknown option', ['--colour'], 'unknown option --colour; see «wirepost get --help»'],
  ['a near miss', ['--jsno'], 'unknown option --jsno (did you mean --json?); see «wirepost get --help»'],
  ['a near miss with a value', ['--limt=3'], 'unknown option --limt (did you mean --limit?); see «wirepost get --help»'],
  ['an unknown short option', ['-x'], 'unknown option -x; see «wirepost get --help»'],
  ['a missing value', ['--out'], '--out needs a value (--out DIR)'],
  ['an option in place of a value', ['--out', '--json'], '--out needs a value (--out DIR)'],
  ['a value for a switch', ['--json=yes'], '--json takes no value'],
  ['an option given twice', ['--out', 'a', '--out', 'b'], '--out is given twice'],
  ['a value that is no choice', ['--how', 'spol'], '--how is one of direct, spool (did you mean spool?)'],
  ['control characters', ['--\u001B[2J\n'], 'unknown option --\\u{1b}[2J\\u{a};'],
])('refuses %s', (_name, args, message) => {
  expect(() => readArguments(SYNTAX, args)).toThrow(expect.objectContaining({ status: 2, message: expect.stringContaining(message) }))
})

test.each(['-1', '0', '1.5', '1e3', 'many', '9999999999999999'])('refuses --limit=%s', (value) => {
  expect(() => readArguments(SYNTAX, [`--limit=${value}`])?.count('limit', 1)).toThrow('--limit is a whole number, at least 1')
})

test('a password on the command line is refused and not repeated', () => {
  for (const args of [['--password', 'canary-123'], ['--password=canary-123'], ['--pass=canary-123']]) {
    expect(() => readArguments(SYNTAX, args)).toThrow(/^a password on the command line can be read .*--password-file FILE$/)
  }
})

test('a hyphen alone and an inline value that begins with one are values', () => {
  expect(readArguments(SYNTAX, ['--out', '-'])?.value('out')).toBe('-')
  expect(readArguments(SYNTAX, ['--out=--x'])?.value('out')).toBe('--x')
})

test('suggests what is near and nothing else', () => {
  expect(suggestion('sned', ['get', 'send', 'test', 'parse'])).toBe(' (did you mean send?)')
  expect(suggestion('gte', ['get', 'send'])).toBe(' (did you mean get?)')
  expect(suggestion('fetch', ['get', 'send', 'test', 'parse'])).toBe('')
  expect(suggestion('x'.repeat(100_000), ['get'])).toBe('')
})

test.each([GET_SYNTAX, SEND_SYNTAX, TEST_SYNTAX])('the help of $name shows every option within 100 characters', (syntax) => {
  const text = helpText(syntax)
  for (const name of Object.keys(syntax.options)) expect(text).toContain(`--${name}`)
  for (const line of text.split('\n'))
    expect(line.length).toBeLessThanOrEqual(syntax.examples.some((example) => line.includes(example.slice(0, 20))) ? 130 : 100)
})
