import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseMessage, type Entity } from '../../src/mime/index.ts'

// Messages on which parsers disagree, one question each, and what we decided.
interface Node {
  readonly depth: number
  readonly type: string
  readonly parts?: number
  readonly message?: boolean
  readonly bytes?: number
  readonly sha256_16?: string
  readonly filename?: string
  readonly safeName?: string
  readonly rawBodyBytes?: number
}
interface Expected {
  readonly tree: readonly Node[]
  readonly subject?: string
  readonly date?: string | null
  readonly text?: string
}

const decided: Record<string, Expected> = JSON.parse(readFileSync(new URL('expected.json', import.meta.url), 'utf8'))
const expected = Object.entries(decided)

function octetsOf(file: string): Buffer {
  return readFileSync(new URL(`messages/${file}`, import.meta.url))
}

interface Seen {
  readonly depth: number
  readonly entity: Entity
}

function* nodesOf(entity: Entity, depth = 0): Generator<Seen> {
  yield { depth, entity }
  for (const part of entity.parts) yield* nodesOf(part, depth + 1)
}

function shapeOf({ depth, type, parts, message, filename }: Node): object {
  return { depth, type, ...(parts === undefined ? {} : { parts }), ...(message === undefined ? {} : { message }), filename: filename ?? null }
}

function shape({ depth, entity }: Seen): object {
  const isMultipart = entity.type.startsWith('multipart/')
  return {
    depth,
    type: entity.type,
    ...(isMultipart ? { parts: entity.parts.length } : entity.parts.length > 0 ? { message: true } : {}),
    filename: isMultipart ? null : entity.fileName,
  }
}

test.each(expected)('reads %s as decided', (file, { tree, subject, date, text }) => {
  const message = parseMessage(octetsOf(file))
  const nodes = [...nodesOf(message)]
  expect(nodes.map(shape)).toEqual(tree.map(shapeOf))
  for (const [index, want] of tree.entries()) {
    const entity = nodes[index]?.entity
    if (want.bytes !== undefined) expect(entity?.content().length).toBe(want.bytes)
    if (want.rawBodyBytes !== undefined) expect(entity?.content().length).toBe(want.rawBodyBytes)
    if (want.safeName !== undefined) expect(entity?.safeFileName).toBe(want.safeName)
    if (want.sha256_16 !== undefined) {
      const hash = createHash('sha256').update(entity?.content() ?? '')
      expect(hash.digest('hex').slice(0, 16)).toBe(want.sha256_16)
    }
  }
  if (subject !== undefined) expect(squeezed(message.header.value('Subject') ?? '')).toBe(squeezed(subject))
  if (date !== undefined) expect(message.header.date()?.getTime() ?? null).toBe(date === null ? null : Date.parse(date))
  if (text !== undefined) expect(nodes.map(({ entity }) => squeezed(entity.text()))).toContain(squeezed(text))
})

/** Where readers are known to differ, the message says so. */
const DOUBTFUL = [
  'q01-dup-content-type',
  'q02-dup-cte',
  'q04-boundary-prefix',
  'q05-same-boundary',
  'q07b-boundary-param-trailing-space',
  'q08-boundary-junk',
  'q08b-close-junk',
  'q10b-cr-in-header',
  'q12-nul',
  'q13-no-colon',
  'q14-empty-boundary',
  'q15-unquoted-boundary',
  'q15b-single-quoted-boundary',
  'q15c-half-quoted-boundary',
  'q18-filename-star',
  'q19-filename-cont',
  'q25-b64-eq-middle',
  'q26-b64-junk',
  'q27-b64-footer',
  'q28-qp-broken',
  'q30-b64-rfc822',
  'q31a-cte',
  'q31e-cte',
  'q33-no-header',
  'q35-no-boundary-param',
  'q36-boundary-never',
  'q37-no-blank-in-part',
  'q38a-ct',
  'q38d-ct',
  'q38h-ct',
  'q38j-ct',
  'q38l-ct',
  'q47-param-comment',
  'q43-two-from',
  'q62-header-no-blank',
  'q64-boundary-in-b64',
]
const CLEAR = [
  'q06-missing-close',
  'q07-boundary-trailing-ws',
  'q17-name-vs-filename',
  'q21-ew-split-mb',
  'q39-digest',
  'q58-attach-text',
  'q67-html-no-mime',
]

test.each(DOUBTFUL)('%s is ambiguous', (file) => expect(parseMessage(octetsOf(`${file}.eml`)).ambiguous).toBe(true))
test.each(CLEAR)('%s is not ambiguous', (file) => expect(parseMessage(octetsOf(`${file}.eml`)).ambiguous).toBe(false))

function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
