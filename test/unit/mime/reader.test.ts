import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readMessage, type Message, type Part } from '../../../src/mime/index.ts'

const ATTACHMENT = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 251))
const MIXED = Buffer.from(
  [
    'Subject: s',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    '',
    'text',
    '--b',
    'Content-Type: application/octet-stream; name=a.bin',
    'Content-Transfer-Encoding: base64',
    '',
    ATTACHMENT.toString('base64').replaceAll(/.{76}/g, '$&\r\n'),
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    '',
    'enclosed',
    '--b--',
    '',
  ].join('\r\n'),
)

interface Source extends AsyncIterable<Buffer> {
  asked: number
  closed: boolean
}

/** Counts what it is asked for. */
function sourceOf(octets: Buffer, size = 1000, failAt = Number.POSITIVE_INFINITY): Source {
  const source: Source = {
    asked: 0,
    closed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (let at = 0; at < octets.length; at += size) {
          source.asked++
          if (source.asked > failAt) throw new Error('cut')
          yield octets.subarray(at, at + size)
        }
      } finally {
        source.closed = true
      }
    },
  }
  return source
}

async function next<T>(iterator: AsyncIterator<T, unknown>): Promise<T> {
  const result = await iterator.next()
  if (result.done === true) throw new Error('it ended')
  return result.value
}

async function contentOf(part: Part): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of part.content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function partsOf(message: Message, enclosed?: 'open' | 'leaf'): Promise<string[]> {
  const seen: string[] = []
  for await (const part of message.parts({ enclosed })) seen.push(`${part.section}:${part.type}:${part.path.map(({ type }) => type).join('>')}`)
  return seen
}

test('resolves when the header section is there, and reads no further', async () => {
  const source = sourceOf(MIXED, 60)
  const message = await readMessage(source)
  expect(message.header.value('subject')).toBe('s')
  expect(source.asked).toBe(1)
})

test('gives content in order, decoded, owned by the caller', async () => {
  const contents: Buffer[] = []
  for await (const part of (await readMessage(sourceOf(MIXED))).parts()) contents.push(await contentOf(part))
  expect(contents).toEqual([Buffer.from('text'), ATTACHMENT, Buffer.from('enclosed')])
})

test('asks for the next chunk only when content is wanted', async () => {
  const source = sourceOf(MIXED)
  const message = await readMessage(source)
  for await (const part of message.parts()) {
    if (part.fileName !== 'a.bin') continue
    const content = part.content[Symbol.asyncIterator]()
    let got = 0
    for (let step = 0; step < 20; step++) got += (await next(content)).length
    // Twenty pieces of at most a chunk each; what was asked for is what was handed on.
    expect(source.asked).toBeLessThanOrEqual(22)
    expect(got).toBeGreaterThan(10_000)
  }
  expect(source.asked).toBe(Math.ceil(MIXED.length / 1000))
})

test('an enclosed message is taken apart, or one leaf with its octets', async () => {
  expect(await partsOf(await readMessage(sourceOf(MIXED)))).toEqual([
    '1:text/plain:multipart/mixed',
    '2:application/octet-stream:multipart/mixed',
    '3.1:text/plain:multipart/mixed>message/rfc822',
  ])
  const leaves: string[] = []
  for await (const part of (await readMessage(sourceOf(MIXED))).parts({ enclosed: 'leaf' })) {
    if (part.type === 'message/rfc822') leaves.push((await contentOf(part)).toString())
  }
  expect(leaves).toEqual(['Subject: inner\r\n\r\nenclosed'])
})

test.each(['7bit', 'base64'])('a message that is an enclosed message (%s) is one leaf when asked', async (encoding) => {
  const inner = Buffer.from('Subject: inner\r\n\r\nx')
  const body = encoding === 'base64' ? inner.toString('base64') : inner.toString()
  const octets = Buffer.from(`Content-Type: message/rfc822\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`)
  const contents: [string, string][] = []
  for await (const part of (await readMessage(sourceOf(octets, 7))).parts({ enclosed: 'leaf' })) {
    contents.push([part.section, (await contentOf(part)).toString()])
  }
  expect(contents).toEqual([['', inner.toString()]])
})

test('a multipart whose boundary never comes is one leaf, however long', async () => {
  for (const length of [0, 10, 64 * 1024, 64 * 1024 + 1, 500_000]) {
    const body = 'x'.repeat(length)
    const octets = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${body}`)
    const contents: string[] = []
    for await (const part of (await readMessage(sourceOf(octets))).parts()) contents.push((await contentOf(part)).toString())
    expect(contents).toEqual([body])
  }
})

test('a preamble too long to be held is handed on, and the parts after it too', async () => {
  const preamble = 'x'.repeat(200_000)
  const octets = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${preamble}\r\n--b\r\n\r\npart\r\n--b--`)
  const contents: [string, string][] = []
  for await (const part of (await readMessage(sourceOf(octets))).parts()) contents.push([part.section, (await contentOf(part)).toString()])
  expect(contents).toEqual([
    ['', preamble],
    ['1', 'part'],
  ])
})

test('chunks of any size are decoded in pieces', async () => {
  for await (const part of (await readMessage(sourceOf(MIXED, MIXED.length))).parts()) {
    for await (const chunk of part.content) expect(chunk.length).toBeLessThanOrEqual(64 * 1024)
  }
})

test('what was not read is skipped, and says so when somebody comes back for it', async () => {
  const kept: Part[] = []
  for await (const part of (await readMessage(sourceOf(MIXED))).parts()) kept.push(part)
  expect(kept.length).toBe(3)
  for (const part of kept) await expect(contentOf(part)).rejects.toMatchObject({ code: 'ERR_SESSION_STATE', phase: 'parse' })
})

test('content and parts can be read once', async () => {
  const message = await readMessage(sourceOf(MIXED))
  for await (const part of message.parts()) {
    await contentOf(part)
    await expect(contentOf(part)).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
  }
  await expect(partsOf(message)).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
})

test('leaving the loop closes the source', async () => {
  const source = sourceOf(MIXED)
  for await (const part of (await readMessage(source)).parts()) {
    if (part.section === '2') break
  }
  expect(source.closed).toBe(true)
  expect(source.asked).toBe(1)
})

test('a source that breaks off breaks off the reading, again and again', async () => {
  const message = await readMessage(sourceOf(MIXED, 1000, 3))
  const parts = message.parts()[Symbol.asyncIterator]()
  await parts.next()
  const part = await next(parts)
  await expect(contentOf(part)).rejects.toThrow('cut')
  await expect(parts.next()).rejects.toThrow('cut')
  await expect(readMessage(sourceOf(MIXED, 10, 2))).rejects.toThrow('cut')
})

test('strict and onLimit end the reading and close the source', async () => {
  const bad = Buffer.from('Subject: a\r\nSubject: b\r\n\r\nx')
  const source = sourceOf(bad, 5)
  await expect(readMessage(source, { strict: true })).rejects.toMatchObject({ code: 'ERR_CONTENT' })
  expect(source.closed).toBe(true)
  const late = sourceOf(MIXED)
  await expect(partsOf(await readMessage(late, { limits: { parts: 1 }, onLimit: 'error' }))).rejects.toMatchObject({ code: 'ERR_LIMIT' })
  expect(late.closed).toBe(true)
  const enclosed = sourceOf(Buffer.from(`Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n${'QUFB\r\n'.repeat(100)}`), 100)
  await expect(partsOf(await readMessage(enclosed, { strict: ['encoded-message'] }))).rejects.toMatchObject({ code: 'ERR_CONTENT' })
  expect(enclosed.closed).toBe(true)
})

test('a part asked for while content is being read waits for that, and loses nothing', async () => {
  const message = await readMessage(sourceOf(MIXED, 500))
  const parts = message.parts()[Symbol.asyncIterator]()
  await parts.next()
  const attachment = await next(parts)
  const content = attachment.content[Symbol.asyncIterator]()
  await content.next()
  const [late, enclosed] = await Promise.allSettled([content.next(), next(parts)])
  expect(late).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SESSION_STATE' } })
  expect(enclosed).toMatchObject({ status: 'fulfilled', value: { section: '3.1' } })
})

test('refuses text in place of octets', async () => {
  await expect(readMessage(Readable.from(['Subject: x\r\n\r\n']))).rejects.toMatchObject({ code: 'ERR_CONTENT' })
})

/** One buffer for all chunks: whoever reads ahead of another has its octets overwritten. */
async function* borrowed(octets: Buffer): AsyncGenerator<Buffer> {
  const memory = Buffer.alloc(16)
  for (let at = 0; at < octets.length; at += 16) {
    await new Promise(setImmediate)
    const length = octets.copy(memory, 0, at, at + 16)
    yield memory.subarray(0, length)
  }
}

test('content that is not waited for is refused, and the parts after it are whole', async () => {
  const outcomes: Promise<unknown>[] = []
  const seen: string[] = []
  for await (const part of (await readMessage(borrowed(MIXED))).parts()) {
    seen.push(`${part.section}:${part.type}`)
    if (part.section === '2') outcomes.push(contentOf(part).catch((error: unknown) => error))
    else outcomes.push(Promise.resolve((await contentOf(part)).toString()))
  }
  expect(seen).toEqual(['1:text/plain', '2:application/octet-stream', '3.1:text/plain'])
  expect(await Promise.all(outcomes)).toEqual(['text', expect.objectContaining({ code: 'ERR_SESSION_STATE' }), 'enclosed'])
})

test('content that is being read when the loop is left does not look complete', async () => {
  const message = await readMessage(sourceOf(MIXED))
  let content: Promise<unknown> | undefined
  for await (const part of message.parts()) {
    if (part.section !== '2') continue
    content = contentOf(part).catch((error: unknown) => error)
    break
  }
  expect(await content).toMatchObject({ code: 'ERR_SESSION_STATE' })
})

test('refuses what is no stream', async () => {
  for (const source of [{ length: 0 }, null, 'Subject: x']) {
    const reading: unknown = Reflect.apply(readMessage, undefined, [source])
    await expect(reading).rejects.toMatchObject({ code: 'ERR_OPTION', phase: 'options' })
  }
})
