import { expect, test } from 'vitest'
import { readMbox, type MboxOptions } from '../../../src/mime/mbox.ts'
import { readMessage } from '../../../src/mime/reader.ts'
import { everySplit } from '../../support/every-split.ts'

const FROM = 'From a@x Sun Nov 22 10:00:00 2026\n'
const ZONED = 'From "a b"@x Sun Nov 22 10:00 +0000 2026 remote from host\r\n'

async function* stream(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    const borrowed = Buffer.from(chunk)
    yield borrowed
    borrowed.fill(0x21) // valid until the next only
  }
}

async function read(chunks: readonly Buffer[], options?: MboxOptions): Promise<string[]> {
  const found: string[] = []
  for await (const { fromLine, offset, octets } of readMbox(stream(chunks), options)) {
    let text = ''
    for await (const chunk of octets) text += chunk.toString('latin1')
    found.push(`${offset} ${fromLine}|${text}`)
  }
  return found
}

const line = (from: string): string => from.trimEnd()

test.each<[string, string, string[], MboxOptions?]>([
  ['nothing', '', []],
  ['empty lines only', '\n\r\n\n', []],
  ['blanks before the next', `${FROM}A: b\n\nx\n \n${FROM}\n\r`, [`0 ${line(FROM)}|A: b\n\nx\n \n`, `${FROM.length + 10} ${line(FROM)}|\n\r`]],
  ['one message', `${FROM}A: b\n\nx\n\n`, [`0 ${line(FROM)}|A: b\n\nx\n`]],
  [
    'two, one without an empty line behind it',
    `${FROM}A: b\n\nx\n${ZONED}C: d\r\n\r\ny\r\n\r\n`,
    [`0 ${line(FROM)}|A: b\n\nx\n`, `${FROM.length + 8} ${line(ZONED)}|C: d\r\n\r\ny\r\n`],
  ],
  [
    'only the last of several empty lines belongs to the next',
    `${FROM}A: b\n\nx\n\n\n${FROM}\n`,
    [`0 ${line(FROM)}|A: b\n\nx\n\n`, `${FROM.length + 10} ${line(FROM)}|\n`],
  ],
  [
    'prose that begins with From',
    `${FROM}A: b\n\nFrom here on\n\nFrom 10:00 to 11:00\n`,
    [`0 ${line(FROM)}|A: b\n\nFrom here on\n\nFrom 10:00 to 11:00\n`],
  ],
  ['a file that begins without From_ line', `\nA: b\n\nx\n\n${FROM}\ny`, [`1 |A: b\n\nx\n`, `10 ${line(FROM)}|\ny`]],
  ['a first From_ line of any form', 'From nowhere\nA: b\n', ['0 From nowhere|A: b\n']],
  ['marks of mboxrd', `${FROM}>From: z\n\n>From b\n>>From c\n> From d\n>Fro\n>`, [`0 ${line(FROM)}|>From: z\n\nFrom b\n>From c\n> From d\n>Fro\n>`]],
  ['marks of mboxo', `${FROM}\n>From b\n>>From c\n`, [`0 ${line(FROM)}|\nFrom b\n>>From c\n`], { quoting: 'mboxo' }],
  ['no marks', `${FROM}\n>From b\n`, [`0 ${line(FROM)}|\n>From b\n`], { quoting: 'none' }],
  [
    'a trusted length',
    `${FROM}Content-Length: ${FROM.length + 2}\nX: y\n\n${FROM}>F\n${FROM}\n`,
    [`0 ${line(FROM)}|Content-Length: ${FROM.length + 2}\nX: y\n\n${FROM}>F\n`, `${FROM.length * 2 + 28} ${line(FROM)}|\n`],
    { contentLength: true },
  ],
  [
    'a length that nobody asked for',
    `${FROM}Content-Length: 9999\n\nx\n\n${FROM}\n`,
    [`0 ${line(FROM)}|Content-Length: 9999\n\nx\n`, `${FROM.length + 25} ${line(FROM)}|\n`],
  ],
])('reads %s, however it is chunked', async (_name, mbox, expected, options) => {
  for (const chunks of everySplit(mbox)) expect(await read(chunks, options)).toEqual(expected)
})

test('octets that are not read are skipped, and cannot be read later', async () => {
  const held: AsyncIterator<Buffer>[] = []
  const subjects: unknown[] = []
  for await (const { octets } of readMbox(stream([Buffer.from(`${FROM}Subject: a\n\nx\n\n${FROM}Subject: b\n\ny\n`)]))) {
    held.push(octets[Symbol.asyncIterator]())
    if (subjects.length === 0) subjects.push('left')
    else subjects.push((await readMessage(octets)).header.value('Subject'))
  }
  expect(subjects).toEqual(['left', 'b'])
  await expect(held[0]?.next()).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
})

test('leaving early closes the source; what it throws reaches the reader', async () => {
  let closed = false
  async function* source(): AsyncGenerator<Buffer> {
    try {
      yield Buffer.from(`${FROM}\nx\n`)
      throw new Error('the disk is gone')
    } finally {
      closed = true
    }
  }
  for await (const message of readMbox(source())) {
    expect(message.fromLine).toBe(line(FROM))
    break
  }
  expect(closed).toBe(true)
  const messages = readMbox(source())
  await messages.next()
  await expect(messages.next()).rejects.toThrow('the disk is gone')
})

test.each(['{"quoting":"mboxcl"}', '{"contentLength":1}'])('a wrong option is refused: %s', async (options) => {
  const messages = readMbox(stream([]), JSON.parse(options))
  await expect(messages.next()).rejects.toMatchObject({ code: 'ERR_OPTION' })
})

test('lines without end take neither memory nor quadratic time', async () => {
  const piece = Buffer.alloc(64 * 1024, '>')
  const started = performance.now()
  let octets = 0
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${FROM}\n`)
    for (let count = 0; count < 200; count++) yield piece
  }
  for await (const message of readMbox(source())) for await (const chunk of message.octets) octets += chunk.length
  expect(octets).toBe(1 + 200 * piece.length)
  expect(performance.now() - started).toBeLessThan(5000)
})
