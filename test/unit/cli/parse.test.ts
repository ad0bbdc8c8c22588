import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseCommand, type EntityFacts, type MessageFacts } from '../../../src/cli/parse.ts'
import { fakeIo } from './fake-io.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wirepost-parse-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const MESSAGE = [
  'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
  'From: "A, B" <a@x.test>',
  'To: G: b@x.test;',
  'Message-ID: <1@x.test>',
  'Date: Sun, 22 Nov 2026 10:00:00 +0000',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'text ü',
  '--b',
  'Content-Disposition: ATTACHMENT; filename="../x.txt"',
  '',
  'one',
  '--b',
  'Content-Disposition: attachment; filename=x.txt',
  '',
  'two',
  '',
].join('\r\n')

async function fileOf(text: string | Buffer, name = 'm.eml'): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

function linesOf(text: string): MessageFacts[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line): MessageFacts => JSON.parse(line))
}

function leaves(entity: EntityFacts): EntityFacts[] {
  return entity.parts.length === 0 ? [entity] : entity.parts.flatMap(leaves)
}

test('writes what is known of a message as one line of JSON', async () => {
  const file = await fileOf(MESSAGE)
  const io = fakeIo()
  expect(await parseCommand([file, '--json'], io)).toBe(0)
  const [facts] = linesOf(io.written.out)
  expect(Object.keys(facts ?? {})).toEqual(['file', 'size', 'subject', 'from', 'to', 'cc', 'replyTo', 'messageId', 'date', 'ambiguous', 'entity'])
  expect(facts).toMatchObject({
    file,
    size: Buffer.byteLength(MESSAGE),
    subject: 'Grüße',
    from: [{ name: 'A, B', address: 'a@x.test' }],
    to: [{ group: 'G', members: [{ name: '', address: 'b@x.test' }] }],
    cc: [],
    replyTo: [],
    messageId: '1@x.test',
    date: '2026-11-22T10:00:00.000Z',
    ambiguous: false,
  })
  const root = facts?.entity
  expect(Object.keys(root ?? {})).toEqual([
    'section',
    'type',
    'parameters',
    'disposition',
    'fileName',
    'safeFileName',
    'contentId',
    'encoding',
    'charset',
    'headerRange',
    'bodyRange',
    'decodedSize',
    'sha256',
    'fields',
    'defects',
    'parts',
  ])
  const bodyAt = MESSAGE.indexOf('--b')
  expect(root).toMatchObject({
    section: '',
    type: 'multipart/mixed',
    parameters: { boundary: 'b' },
    disposition: null,
    encoding: '7bit',
    headerRange: { offset: 0, length: bodyAt },
    bodyRange: { offset: bodyAt, length: Buffer.byteLength(MESSAGE) - bodyAt },
    decodedSize: null,
    sha256: null,
    defects: [{ code: 'missing-close-boundary', offset: Buffer.byteLength(MESSAGE), severity: 'warning' }],
  })
  expect(root?.fields[0]).toEqual({ name: 'Subject', value: 'Grüße', offset: 0 })
  expect(root?.parts[1]).toMatchObject({
    section: '2',
    type: 'text/plain',
    disposition: 'attachment',
    fileName: '../x.txt',
    safeFileName: 'x.txt',
    decodedSize: 3,
    sha256: createHash('sha256').update('one').digest('hex'),
    parts: [],
  })
})

test('adds text with --text, null for what is none', async () => {
  const io = fakeIo()
  await parseCommand(['--json', '--text', await fileOf(MESSAGE)], io)
  const [facts] = linesOf(io.written.out)
  expect(facts?.entity.text).toBeNull()
  expect(facts?.entity.parts[0]?.text).toBe('text ü')
})

test('a message that cannot be JSON as it is is JSON still', async () => {
  const odd = Buffer.from(
    'Subject: =?utf-16?B?2AA=?= \x1b[31m\r\n__proto__: x\r\nContent-Type: text/plain; __proto__=y; charset=utf-16le\r\n\r\n\x00\xd8',
    'latin1',
  )
  const io = fakeIo()
  expect(await parseCommand(['--json', '--text', await fileOf(odd)], io)).toBe(0)
  expect(io.written.out).not.toContain('\u001b')
  const [facts] = linesOf(io.written.out)
  expect(Object.entries(facts?.entity.parameters ?? {})).toContainEqual(['__proto__', 'y'])
})

test('reads standard input, and goes on after a file that cannot be read', async () => {
  const io = fakeIo({ stdin: [Buffer.from('Subject: a'), Buffer.from('b\n\nx')] })
  const missing = join(folder, 'missing.eml')
  expect(await parseCommand(['--json', missing, folder, '-'], io)).toBe(2)
  expect(linesOf(io.written.out).map(({ file, subject }) => [file, subject])).toEqual([['-', 'ab']])
  expect(io.written.err).toContain(`cannot read ${missing}: it does not exist`)
  expect(io.written.err.trimEnd().split('\n').length).toBe(2)
})

test('wrong use is refused, help is given', async () => {
  await expect(parseCommand([], fakeIo())).rejects.toMatchObject({ status: 2 })
  await expect(parseCommand(['-', '-'], fakeIo())).rejects.toMatchObject({ status: 2 })
  await expect(parseCommand(['--jsno', 'x'], fakeIo())).rejects.toThrow('did you mean --json?')
  const io = fakeIo()
  expect(await parseCommand(['--help'], io)).toBe(0)
  expect(io.written.out).toContain('wirepost parse FILE')
})

test('shows people a tree, its defects, and nothing that moves a cursor', async () => {
  const io = fakeIo()
  await parseCommand([await fileOf(MESSAGE.replace('x.txt"', '\u001b[31m\u202Ex.txt"')), '--text'], io)
  expect(io.written.out).toContain('Subject  Grüße')
  expect(io.written.out).toContain('├─ 1  text/plain  utf-8  7bit  7 B')
  expect(io.written.out).toContain('! warning missing-close-boundary at ')
  expect(io.written.out).toContain('| text ü')
  for (const unsafe of ['\u001b', '\u202e']) expect(io.written.out).not.toContain(unsafe)
})

test('extracts every leaf to a file of its own, in the folder and over nothing', async () => {
  const out = join(folder, 'out')
  await mkdir(out)
  await writeFile(join(folder, 'outside'), 'mine')
  await symlink(join(folder, 'outside'), join(out, 'x.txt'))
  const io = fakeIo()
  const file = await fileOf(MESSAGE)
  expect(await parseCommand([file, '--json', '--extract', out], io)).toBe(0)
  expect(await parseCommand([file, '--json', '--extract', out], io)).toBe(0)
  const names = (await readdir(out)).toSorted()
  expect(names.length).toBe(7)
  expect(await readFile(join(folder, 'outside'), 'utf8')).toBe('mine')
  const contents = await Promise.all(names.filter((name) => name !== 'x.txt').map((name) => readFile(join(out, name), 'utf8')))
  expect(contents.toSorted()).toEqual(['one', 'one', 'text ü', 'text ü', 'two\r\n', 'two\r\n'])
  const hashes = new Set(contents.map((content) => createHash('sha256').update(content).digest('hex')))
  for (const facts of linesOf(io.written.out)) for (const leaf of leaves(facts.entity)) expect(hashes).toContain(leaf.sha256)
})

test('a folder that cannot be used ends it before anything is read', async () => {
  const file = await fileOf(MESSAGE)
  await expect(parseCommand([file, '--extract', file], fakeIo())).rejects.toMatchObject({
    status: 2,
    message: expect.stringContaining('--extract DIR'),
  })
})

const attribute = (level: number, id: number, octets: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head[0] = level
  head.writeUInt32LE(id, 1)
  head.writeUInt32LE(octets.length, 5)
  const sum = Buffer.alloc(2)
  sum.writeUInt16LE(octets.reduce((total, octet) => (total + octet) & 0xffff, 0))
  return Buffer.concat([head, octets, sum])
}

test('opens winmail.dat only when asked', async () => {
  const out = join(folder, 'winmail')
  const winmail = Buffer.concat([
    Buffer.from('789f3e220100', 'hex'),
    attribute(2, 0x00_06_90_02, Buffer.alloc(14)),
    attribute(2, 0x00_01_80_10, Buffer.from('in\u001bside.txt\0')),
    attribute(2, 0x00_06_80_0f, Buffer.from('hello')),
  ])
  const head = 'Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n'
  const file = join(folder, 'winmail.eml')
  await writeFile(file, head + winmail.toString('base64'))
  const closed = fakeIo()
  expect(await parseCommand([file], closed)).toBe(0)
  expect(closed.written.out).not.toContain('side.txt')
  const io = fakeIo()
  expect(await parseCommand([file, '--winmail', '--extract', out], io)).toBe(0)
  expect(io.written.out).toContain('+ «in\\u{1b}side.txt»  application/octet-stream  5 B')
  expect((await readdir(out)).length).toBe(2)
  const json = fakeIo()
  expect(await parseCommand([file, '--winmail', '--json'], json)).toBe(0)
  expect(JSON.parse(json.written.out)).toMatchObject({
    entity: { winmail: { attachments: [{ fileName: 'in\u001bside.txt', size: 5 }], defects: [] } },
  })
})

test('shows the type that a message names, in an encoding that nobody knows too', async () => {
  const file = join(folder, 'x.eml')
  await writeFile(file, 'Content-Type: text/html\r\nContent-Transfer-Encoding: x-gzip64\r\n\r\nH4sI')
  const io = fakeIo()
  expect(await parseCommand([file, '--json', '--text'], io)).toBe(0)
  expect(JSON.parse(io.written.out)).toMatchObject({
    entity: { type: 'text/html', text: null, decodedSize: 4, defects: [{ code: 'unknown-encoding' }] },
  })
})
