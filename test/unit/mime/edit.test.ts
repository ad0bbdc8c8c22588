import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { editMessage } from '../../../src/mime/edit.ts'
import type { Entity } from '../../../src/mime/entity.ts'
import { parseMessage } from '../../../src/mime/parser.ts'

const MESSAGE = Buffer.from(
  [
    'Subject: s',
    'Content-Type: multipart/mixed; boundary=o',
    '',
    'preamble',
    '--o',
    'Content-Type: text/plain',
    '',
    'one',
    '--o ',
    'Content-Type: multipart/alternative; boundary=i',
    '',
    '--i',
    '',
    'two',
    '--i',
    'Content-Type: text/html',
    '',
    '--i--',
    '--o',
    'Content-Type: message/rfc822',
    '',
    'Subject: in',
    'Content-Type: multipart/mixed; boundary=e',
    '',
    '--e',
    '',
    'three',
    '--e--',
    '',
    '--o--',
    'epilogue',
  ].join('\r\n'),
)
const NEW = Buffer.from('Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=')

const CORPUS = new URL('../../corpus/messages/', import.meta.url)
const corpus = readdirSync(CORPUS).map((name): [string, Buffer] => [name, readFileSync(new URL(name, CORPUS))])

const inOrder = (entity: Entity): Entity[] => [entity, ...entity.parts.flatMap(inOrder)]

/** Section, type and octets of every leaf. */
const leaves = (octets: Buffer): string[] =>
  inOrder(parseMessage(octets))
    .filter(({ parts }) => parts.length === 0)
    .map(({ section, type, raw }) => `${section} ${type} ${raw.toString('latin1')}`)

const contents = (octets: Buffer): string[] => leaves(octets).map((leaf) => leaf.slice(leaf.indexOf(' ') + 1))

/** The entity at that place in the tree. */
const at = (message: Entity, ...path: readonly number[]): Entity => {
  let entity = message
  for (const index of path) entity = entity.parts[index] ?? expect.fail('no such part')
  return entity
}

const isView = (message: Entity, { raw }: Entity): boolean => {
  const start = raw.byteOffset - message.raw.byteOffset
  return raw.buffer === message.raw.buffer && start >= 0 && start + raw.length <= message.raw.length
}

test.each([['nested', MESSAGE], ['nested, LF', Buffer.from(MESSAGE.toString().replaceAll('\r\n', '\n'))], ...corpus])(
  'what is not changed is written back octet for octet: %s',
  (_name, octets) => {
    const message = parseMessage(octets)
    expect(editMessage(message, []).equals(octets)).toBe(true)
    for (const part of inOrder(message)) {
      if (!isView(message, part)) expect(() => editMessage(message, [{ replace: part, by: part.raw }])).toThrow(/decoded/)
      else if (part.raw[0] !== 0x2d) expect(editMessage(message, [{ replace: part, by: part.raw }]).includes(part.raw)).toBe(true)
    }
  },
)

test('a part replaced by itself changes nothing; by something else, it keeps its neighbours', () => {
  const message = parseMessage(MESSAGE)
  for (const part of inOrder(message)) {
    const edited = editMessage(message, [{ replace: part, by: part.raw }])
    expect(edited.equals(MESSAGE)).toBe(true)
    if (part === message || part.parts.length > 0) continue
    const place = contents(MESSAGE).findIndex((leaf) => leaf.endsWith(` ${part.raw.toString()}`))
    expect(contents(editMessage(message, [{ replace: part, by: NEW }]))).toEqual(contents(MESSAGE).with(place, `image/png ${NEW.toString()}`))
  }
})

test.each<[string, readonly number[]]>([
  ['the first', [0]],
  ['a multipart', [1]],
  ['the last', [2]],
  ['one inside', [1, 0]],
  ['the last inside, with an empty body', [1, 1]],
])('removes %s, and every other part stays', (_name, path) => {
  const message = parseMessage(MESSAGE)
  const part = at(message, ...path)
  const edited = editMessage(message, [{ remove: part }])
  const gone = new Set(inOrder(part).map(({ raw }) => raw.toString('latin1')))
  const rest = contents(MESSAGE).filter((leaf) => ![...gone].some((raw) => leaf.endsWith(` ${raw}`)))
  expect(contents(edited)).toEqual(rest)
  const after = parseMessage(edited)
  expect(after.preamble.toString()).toBe('preamble')
  expect(after.epilogue.toString()).toBe('epilogue')
})

test('several removed at once, adjacent ones and the tail', () => {
  const message = parseMessage(MESSAGE)
  expect(leaves(editMessage(message, [{ remove: at(message, 2) }, { remove: at(message, 1) }]))).toEqual([
    '1 text/plain Content-Type: text/plain\r\n\r\none',
  ])
  expect(contents(editMessage(message, [{ remove: at(message, 0) }, { remove: at(message, 1) }]))).toEqual(contents(MESSAGE).slice(3))
})

test('adds a part at the end, before another, and beside one that is removed', () => {
  const message = parseMessage(MESSAGE)
  const added = `image/png ${NEW.toString()}`
  const [one = '', two = '', html = '', three = ''] = contents(MESSAGE)
  expect(contents(editMessage(message, [{ add: NEW, to: message }]))).toEqual([one, two, html, three, added])
  expect(contents(editMessage(message, [{ add: NEW, to: message, before: at(message, 0) }]))).toEqual([added, one, two, html, three])
  // The HTML part has an empty body, whose only line end is the one of its header section.
  const inside = editMessage(message, [{ add: NEW, to: at(message, 1) }])
  expect(contents(inside)).toEqual([one, two, html, added, three])
  const swapped = editMessage(message, [{ remove: at(message, 2) }, { add: NEW, to: message, before: at(message, 2) }, { add: NEW, to: message }])
  expect(contents(swapped)).toEqual([one, two, html, added, added])
  const enclosed = editMessage(message, [{ replace: at(message, 2, 0, 0), by: NEW }])
  expect(contents(enclosed)).toEqual([one, two, html, added])
  expect(parseMessage(enclosed).parts[2]?.parts[0]?.header.value('Subject')).toBe('in')
})

test('line ends are those of the message', () => {
  const octets = Buffer.from('Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n')
  const message = parseMessage(octets)
  expect(editMessage(message, [{ add: Buffer.from('\ny'), to: message }]).toString()).toBe(
    'Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\ny\n--b--\n',
  )
})

test('a part keeps its line ends when what stands behind it goes or comes', () => {
  const head = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n'
  // An empty body, and a header section that a delimiter ends: both share a line end with the delimiter. And a body that ends with CR.
  for (const kept of ['--b\r\nA: b\r\n\r\n', '--b\r\nA: b\r\n', '--b\r\n\r\nx\r\r\n']) {
    const message = parseMessage(Buffer.from(`${head}${kept}--b\n\nlast\n--b--`))
    expect(editMessage(message, [{ remove: at(message, 1) }]).toString()).toBe(`${head}${kept}--b--`)
    const single = parseMessage(Buffer.from(`${head}${kept}--b--`))
    expect(editMessage(single, [{ add: Buffer.from('\r\ny'), to: single }]).toString()).toBe(`${head}${kept}--b\r\n\r\ny\r\n--b--`)
  }
})

const refused = (code: string, run: () => unknown): void => expect(run).toThrow(expect.objectContaining({ code }))

test('refuses what would give another structure', () => {
  const message = parseMessage(MESSAGE)
  const other = parseMessage(Buffer.from('\r\nx'))
  const single = parseMessage(Buffer.from('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n'))
  refused('ERR_CONTENT', () => editMessage(single, [{ remove: at(single, 0) }]))
  refused('ERR_CONTENT', () => editMessage(message, [{ remove: message }]))
  refused('ERR_CONTENT', () => editMessage(message, [{ replace: at(message, 1, 0), by: Buffer.from('\r\n--o\r\n\r\nx') }]))
  refused('ERR_CONTENT', () => editMessage(message, [{ add: Buffer.from('--i\r\n'), to: at(message, 1) }]))
  refused('ERR_CONTENT', () => editMessage(message, [{ add: NEW, to: at(message, 0) }]))
  refused('ERR_OPTION', () => editMessage(message, [{ remove: other }]))
  refused('ERR_OPTION', () => editMessage(message, [{ add: NEW, to: message, before: at(message, 1, 0) }]))
  refused('ERR_OPTION', () => editMessage(message, [{ remove: at(message, 1) }, { replace: at(message, 1, 0), by: NEW }]))
})

test('an encoded enclosed message is edited by itself', () => {
  const inner = Buffer.from('Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--i--\r\n')
  const head = 'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n'
  const message = parseMessage(Buffer.from(`Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n${head}${inner.toString('base64')}\r\n--o--\r\n`))
  const enclosed = at(message, 0, 0)
  expect(() => editMessage(message, [{ replace: at(enclosed, 0), by: NEW }])).toThrow(/decoded/)
  const changed = editMessage(enclosed, [{ replace: at(enclosed, 0), by: NEW }])
  const whole = editMessage(message, [{ replace: at(message, 0), by: Buffer.from(`${head}${changed.toString('base64')}`) }])
  expect(contents(whole)).toEqual([`image/png ${NEW.toString()}`])
})
