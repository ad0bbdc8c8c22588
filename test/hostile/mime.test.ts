import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseMessage, type ParseOptions } from '../../src/mime/index.ts'
import { growth, isLinear } from '../support/linear.ts'
import { parsed, streamed } from '../support/read-whole.ts'

const FOLDER = new URL('../corpus/messages/', import.meta.url)
const SEEDS = [1, 77, 20_261_122]
const RUNS = 400

function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

const BITS = [
  '--foo',
  '--foo--',
  '--bar',
  '--',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\t',
  '=',
  ':',
  'x',
  '\0',
  'From ',
  'Content-Type: multipart/mixed; boundary=foo\r\n',
  'Content-Type: multipart/mixed; boundary="bar"\r\n\r\n--bar\r\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Transfer-Encoding: base64\r\n',
]
const OPTIONS: ParseOptions[] = [
  {},
  { limits: { depth: 0 } },
  { limits: { depth: 2, parts: 1, headerBytes: 100 } },
  { limits: { parts: 2 } },
  { limits: { headerBytes: 60 } },
  { limits: { totalHeaderBytes: 150 } },
  { limits: { messageBytes: 20 } },
  { limits: { messageBytes: 300 } },
  { limits: { parameters: 1 } },
]

test.each(SEEDS)('one reading of damaged messages, whatever the chunks and the limits (seed %i)', async (seed) => {
  const below = random(seed)
  const messages = readdirSync(FOLDER)
    .toSorted()
    .map((file) => readFileSync(new URL(file, FOLDER)).toString('latin1'))
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)]
  for (let run = 0; run < RUNS; run++) {
    let text = pick(messages) ?? ''
    for (let change = below(6); change >= 0; change--) {
      const at = below(text.length)
      const kind = below(10)
      const inserted = kind < 5 ? pick(BITS) : kind < 7 ? (pick(messages) ?? '').slice(0, 400) : ''
      text = text.slice(0, at) + inserted + text.slice(kind < 7 ? at : at + below(30))
    }
    const octets = Buffer.from(text, 'latin1')
    const options = pick(OPTIONS)
    const most = 1 + below(40)
    const whole = parsed(octets, options)
    expect(await streamed(octets, () => 1 + below(most), options), `seed ${seed}, run ${run}: ${JSON.stringify(text)}`).toEqual(whole)
    void parseMessage(octets, options).ambiguous
  }
})

const HEAD = 'Content-Type: multipart/mixed; boundary=a\n\n'

function readAll(text: string): void {
  const root = parseMessage(Buffer.from(text, 'latin1'))
  void root.ambiguous
  for (const field of root.header.fields.slice(0, 100)) void field.value
}

function nested(count: number): string {
  return Array.from({ length: count }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n`).join('')
}

test.each<[string, number, (count: number) => string]>([
  ['M20 nested multiparts', 3000, nested],
  ['M20 nested messages', 20_000, (count) => 'Content-Type: message/rfc822\n\n'.repeat(count)],
  ['M21 delimiters', 50_000, (count) => HEAD + '--a\n'.repeat(count)],
  ['M21 empty parts', 50_000, (count) => HEAD + '--a\n\n\n'.repeat(count)],
  ['M22 address fields', 10_000, (count) => `${'To: a@b\n'.repeat(count)}\nx`],
  ['M22 addresses', 20_000, (count) => `To: ${'a@b,'.repeat(count)}\n\nx`],
  ['M23 fields', 50_000, (count) => `${'a:\n'.repeat(count)}\nx`],
  ['M23 folds', 50_000, (count) => `X: a\n${' b\n'.repeat(count)}\nx`],
  ['M23 one field', 500_000, (count) => `X: ${'a'.repeat(count)}\n\nx`],
  ['M24 parameters', 50_000, (count) => `Content-Type: a/b${';p=v'.repeat(count)}\n\nx`],
  ['M25 comments', 100_000, (count) => `To: ${'('.repeat(count)}\n\nx`],
  ['M25 comments of a date', 50_000, (count) => `Date: ${'('.repeat(count)}${')'.repeat(count)}\n\nx`],
  ['M28 hyphens', 100_000, (count) => `${HEAD}--a\n\n${'--\n'.repeat(count)}`],
  ['M28 near misses', 50_000, (count) => `${HEAD}--a\n\n${'--ax\n'.repeat(count)}`],
  ['M28 near misses in many levels', 50_000, (count) => `${nested(90)}\n${'--b5x\n'.repeat(count)}`],
  ['M28 hyphens in a header section', 20_000, (count) => `Content-Type: multipart/mixed; boundary=q\n${'--x\n'.repeat(count)}`],
  ['M30 references', 20_000, (count) => `References: ${'<a@b>\n '.repeat(count)}\n\nx`],
  ['text in a header section', 50_000, (count) => `A: b\n${'text\n'.repeat(count)}`],
  ['carriage returns in a value', 50_000, (count) => `Subject: ${'\r'.repeat(count)}\n\nx`],
  ['delimiters within lines', 20_000, (count) => `${HEAD}--a\n\n${'x--a '.repeat(count)}`],
])('%s take linear time', (_name, count, make) => {
  expect(isLinear(growth(readAll, make, count))).toBe(true)
})

test.each<[string, (count: number) => string]>([
  ['M31 a header section', (count) => `X: ${'a'.repeat(count)}\n\nx`],
  ['M31 fields', (count) => `${'A: b\n'.repeat(count / 5)}\nx`],
  ['M31 a body', (count) => `${HEAD}--a\n\n${'--a x\n'.repeat(count / 6)}`],
])('%s octet by octet takes linear time', async (_name, make) => {
  async function seconds(count: number): Promise<number> {
    const octets = Buffer.from(make(count))
    const from = performance.now()
    await streamed(octets, () => 1)
    return performance.now() - from
  }
  await seconds(20_000)
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 3 && least > 9; attempt++) least = Math.min(least, (await seconds(160_000)) / (await seconds(40_000)))
  expect(least).toBeLessThanOrEqual(9)
})

test('encoded messages in encoded messages are decoded so deep and no deeper', () => {
  let text = 'x'.repeat(100_000)
  for (let level = 0; level < 20; level++) text = `Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n${text}`
  let entity = parseMessage(Buffer.from(text))
  let depth = 0
  for (let [inner] = entity.parts; inner !== undefined; [inner] = entity.parts) {
    entity = inner
    depth++
  }
  expect(depth).toBe(5)
  expect(entity.defects.map(({ code }) => code)).toContain('depth-limit')
})
