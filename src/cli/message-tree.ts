import { printable } from '../bytes.ts'
import type { Group, Mailbox } from '../mime/index.ts'
import type { EntityFacts, MessageFacts } from './parse.ts'
import { counted, humanOctets } from './table.ts'

/** A message for people: who and what, then its parts as a tree, each with its defects. `limit`: characters in a line of the terminal. */
export function messageTree(facts: MessageFacts, limit: number | undefined): string {
  const lines = [`${printable(facts.file)}  ${humanOctets(facts.size)}${facts.ambiguous ? '  ambiguous: other readers may see another message' : ''}`]
  const about: [string, string | null][] = [
    ['Subject', facts.subject],
    ['From', addressList(facts.from)],
    ['To', addressList(facts.to)],
    ['Cc', addressList(facts.cc)],
    ['Date', facts.date],
  ]
  for (const [name, value] of about) if (value !== null && value !== '') lines.push(`  ${name.padEnd(8)} ${printable(value, 300)}`)
  branch(facts.entity, '  ', '  ', lines)
  return `${lines.map((line) => shortened(line, limit)).join('\n')}\n`
}

/** `first` stands before the entity's own line, `rest` before all lines below it. */
function branch(entity: EntityFacts, first: string, rest: string, lines: string[]): void {
  lines.push(`${first}${label(entity)}`)
  const below = entity.parts.length > 0 ? '│ ' : '  '
  for (const { code, offset, severity } of entity.defects) lines.push(`${rest}${below}! ${severity} ${code} at ${offset}`)
  if (entity.text !== undefined && entity.text !== null) {
    for (const line of entity.text.split(/\r?\n/)) lines.push(`${rest}${below}| ${printable(line, 2000)}`)
  }
  for (const { fileName, type, size } of entity.winmail?.attachments ?? []) {
    lines.push(`${rest}${below}+ ${fileName === null ? '' : `«${printable(fileName, 100)}»  `}${printable(type, 100)}  ${humanOctets(size)}`)
  }
  for (const { code, offset } of entity.winmail?.defects ?? []) lines.push(`${rest}${below}! ${code} at ${offset} of winmail.dat`)
  for (const [index, part] of entity.parts.entries()) {
    const last = index === entity.parts.length - 1
    branch(part, `${rest}${last ? '└─ ' : '├─ '}`, `${rest}${last ? '   ' : '│  '}`, lines)
  }
}

function label(entity: EntityFacts): string {
  const words = [entity.section, printable(entity.type, 100)]
  if (entity.charset !== null) words.push(printable(entity.charset, 40))
  if (entity.disposition !== null) words.push(printable(entity.disposition, 40))
  if (entity.fileName !== null) words.push(`«${printable(entity.fileName, 100)}»`)
  if (entity.decodedSize === null) words.push(counted(entity.parts.length, 'part'))
  else words.push(printable(entity.encoding, 40), humanOctets(entity.decodedSize))
  return words.filter((word) => word !== '').join('  ')
}

function addressList(list: readonly (Mailbox | Group)[]): string {
  const shown = list
    .slice(0, MAX_SHOWN)
    .map((entry) => ('group' in entry ? `${entry.group}: ${counted(entry.members.length, 'member')}` : mailbox(entry)))
  return shown.join(', ') + (list.length > MAX_SHOWN ? `, and ${list.length - MAX_SHOWN} more` : '')
}

const MAX_SHOWN = 5

/** The address always beside the name, which says what its sender likes. */
function mailbox({ name, address }: Mailbox): string {
  return name === '' ? address : `${name} <${address}>`
}

function shortened(line: string, limit: number | undefined): string {
  return limit !== undefined && line.length > limit ? `${line.slice(0, Math.max(0, limit - 1))}…` : line
}
