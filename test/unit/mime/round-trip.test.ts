import { domainToASCII } from 'node:url'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { composeMessage } from '../../../src/mime/composer.ts'
import type { Addresses, Attachment, Content, Draft, Group, Mailbox } from '../../../src/mime/index.ts'
import { parseMessage, type Entity } from '../../../src/mime/index.ts'

// parse(compose(x)) = x for drafts of any kind, over each transport; and what is written between the two is legal and no more than was asked for.

type Transport = '7bit' | '8bit' | 'binary'
const anyTransport = fc.constantFrom<Transport>('7bit', '8bit', 'binary')

// ── what people write ───────────────────────────────────────────────────────────────────────────────────────────

const TRICKY = [
  'a',
  ' ',
  '  ',
  '\t',
  'ü',
  '日本',
  '😀',
  '"',
  '\\',
  '(',
  ',',
  ';',
  '<x@y>',
  '=?utf-8?Q?a?=',
  '=?',
  '?=',
  '%41',
  "''",
  '*',
  '\u202e',
  '\x7f',
  '\ufeff',
]
const LONG = [...TRICKY, 'x'.repeat(80), 'word '.repeat(30), 'ß'.repeat(40), 'y'.repeat(1100), ' '.repeat(30)]

/** What a field can hold: anything but CR, LF, NUL and half surrogate pairs. */
const line = (pieces = TRICKY, maxLength = 12): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.string({ maxLength: 200 }),
      fc.array(fc.constantFrom(...pieces), { maxLength }).map((tokens) => tokens.join('')),
    )
    .map((text) => text.replaceAll(/[\r\n\0]/g, ''))

const TEXTS = ['a', 'ü', ' ', '\t', '\r\n', '\n', '\r', '.', '\n.\n', 'From ', '--=_', '=', '😀', '日', '\0', '\x1b$B', 'x'.repeat(1000)]
const text = fc.oneof(
  fc.array(fc.constantFrom(...TEXTS), { maxLength: 20 }).map((tokens) => tokens.join('')),
  fc.string({ unit: 'binary', maxLength: 300 }),
)

const anyOctets = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  text.map((value) => Buffer.from(value)),
)

/** Content, and the octets that must come out of it. A stream is made each time the draft is. */
interface Source {
  readonly kind: string
  readonly isText: boolean
  readonly expected: Buffer
  readonly size: number | undefined
  make(): Content
}

const source: fc.Arbitrary<Source> = fc.oneof(
  text.map((value) => ({ kind: 'string', isText: true, expected: Buffer.from(canonical(value)), size: undefined, make: () => value })),
  anyOctets.map((value) => ({ kind: 'octets', isText: false, expected: Buffer.from(value), size: value.length, make: () => value })),
  fc
    .record({ chunks: fc.array(anyOctets, { maxLength: 5 }), kind: fc.constantFrom('generator', 'readable', 'web stream'), sized: fc.boolean() })
    .map(({ chunks, kind, sized }) => {
      const expected = Buffer.concat(chunks)
      const size = sized ? expected.length : undefined
      return { kind, isText: false, expected, size, make: () => stream(kind, chunks) }
    }),
)

function stream(kind: string, chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  if (kind === 'readable') return Readable.from(chunks.filter((chunk) => chunk.length > 0).map((chunk) => Buffer.from(chunk)))
  return kind === 'generator' ? generate(chunks) : ReadableStream.from(chunks)
}

async function* generate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const inMemory = ({ kind }: Source): boolean => kind === 'string' || kind === 'octets'

const canonical = (value: string): string => value.replaceAll(/\r\n|\r|\n/g, '\r\n')

const oneOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...characters.split(''))

const ATOM = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-/=?^_`{|}~"
const atom = fc.string({ unit: oneOf(ATOM), minLength: 1, maxLength: 10 })
const localPart = fc.oneof(
  fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join('.')),
  fc.string({ unit: oneOf(' "\\@<>(),;:.ab'), minLength: 1, maxLength: 10 }).map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`),
)
const domain = fc.constantFrom(
  'a.test',
  'B.Test',
  'mail.example.test',
  'bücher.example',
  '例え.テスト',
  'xn--bcher-kva.example',
  '[192.0.2.1]',
  '[IPv6:2001:db8::1]',
)
const mailbox: fc.Arbitrary<Mailbox> = fc.record({ name: line(), address: fc.tuple(localPart, domain).map((parts) => parts.join('@')) })
const group: fc.Arbitrary<Group> = fc.record({ group: line().map((name) => name || 'G'), members: fc.array(mailbox, { maxLength: 3 }) })
const addresses: fc.Arbitrary<readonly (Mailbox | Group)[]> = fc.array(fc.oneof({ weight: 4, arbitrary: mailbox }, { weight: 1, arbitrary: group }), {
  maxLength: 5,
})

const written = (entry: Mailbox | Group): Mailbox | Group =>
  'group' in entry ? { group: entry.group, members: entry.members.map((member) => writtenMailbox(member)) } : writtenMailbox(entry)

/** As it is written: the local part in quotes only where it needs them, the domain as A-labels. */
function writtenMailbox(entry: Mailbox): Mailbox {
  const at = entry.address.lastIndexOf('@')
  const local = entry.address.slice(0, at)
  const bare = local.startsWith('"') ? local.slice(1, -1).replaceAll(/\\(.)/g, '$1') : local
  const given = entry.address.slice(at + 1)
  const host = /\P{ASCII}/u.test(given) ? domainToASCII(given) : given
  return { name: entry.name, address: `${/^[^ "\\@<>(),;:.]+(\.[^ "\\@<>(),;:.]+)*$/.test(bare) ? bare : local}@${host}` }
}

/** Any but those with what readers take for comments and quoted strings (RFC 5322 §3.6.4 has neither). */
const identifier = fc.string({ unit: oneOf(`${ATOM}@.[]:;,`), minLength: 1, maxLength: 100 })
const fieldName = fc.oneof(
  fc.string({ unit: oneOf(`${ATOM}"(),/;@[\\]`), minLength: 1, maxLength: 30 }).map((name) => `X${name}`),
  fc.constantFrom('List-Id', 'Comments', 'Keywords', '__proto__', 'constructor', 'X-', 'Return-Path'),
)

const mediaType = fc.constantFrom(
  undefined,
  'application/pdf',
  'TEXT/CSV; header=present',
  'application/x; a="b c"; d=e',
  'image/svg+xml; charset=utf-8',
  'message/rfc822',
)
const attachment = fc
  .record({
    source,
    fileName: fc.option(
      line(LONG, 5).filter((name) => name.length < 4000),
      { nil: undefined },
    ),
    type: mediaType,
    contentId: fc.option(identifier, { nil: undefined }),
    disposition: fc.constantFrom<Attachment['disposition'][]>(undefined, 'attachment', 'inline'),
  })
  .map((given) => Object.assign(given, given.type === 'message/rfc822' && { source: enclosed(given.source.expected) }))

/** A message, so that readers see where its header ends. */
function enclosed(body: Buffer): Source {
  const expected = Buffer.concat([Buffer.from('Subject: in\r\n\r\n'), body])
  return { kind: 'octets', isText: false, expected, size: expected.length, make: () => expected }
}

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })

// ── what is written ─────────────────────────────────────────────────────────────────────────────────────────────

async function collect(composed: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of composed) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** RFC 5322 §2.1.1, RFC 2047 §2: folded at 78 wherever there is a blank to fold at. */
function expectFolded(header: string): void {
  expect(header).toMatch(/^[\t -~\r\n]*$/)
  for (const row of header.split('\r\n')) {
    expect(row.length).toBeLessThanOrEqual(998)
    if (row.includes('=?utf-8?')) expect(row.length).toBeLessThanOrEqual(76)
    if (row.length <= 78) continue
    // One word too long for any line: no blank in it but one at the start of the line or after the name of the field, or inside a quoted local part.
    expect(row.replace(/^(?:[!-9;-~]+: ?|[ \t]+)/, '').replaceAll(/"(?:[^"\\]|\\.)*"@/g, '')).not.toMatch(/[ \t]/)
  }
}

function leaves(entity: Entity): Entity[] {
  return entity.parts.length === 0 || entity.type === 'message/rfc822' ? [entity] : entity.parts.flatMap((part) => leaves(part))
}

/** Each name with its value, in order. */
const fieldsOf = (entity: Entity): string[][] => entity.header.fields.map(({ name, value }) => [name, value])

const BASE = { from: 'anna@a.test', date: new Date('2026-11-22T10:00:00Z'), messageId: 'one@a.test' }

async function parsed(draft: Draft, options?: { transport: Transport }): Promise<{ entity: Entity; header: string }> {
  const octets = await collect(composeMessage(draft, options))
  return { entity: parseMessage(octets), header: octets.toString('latin1', 0, octets.indexOf('\r\n\r\n')) }
}

// ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────

test('M50, S9, S10: a header is what the draft says, no field more, none less', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        from: mailbox,
        sender: optional(mailbox),
        replyTo: optional(addresses),
        to: optional(addresses),
        cc: optional(addresses),
        bcc: optional(addresses),
        subject: optional(line(LONG)),
        date: optional(fc.date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })),
        messageId: optional(identifier),
        inReplyTo: optional(identifier),
        references: optional(fc.array(identifier, { maxLength: 4 })),
        fields: optional(fc.array(fc.tuple(fieldName, line(LONG)), { maxLength: 4 })),
      }),
      async (draft) => {
        const composed = composeMessage(draft)
        const octets = await collect(composed)
        const header = octets.toString('latin1', 0, octets.indexOf('\r\n\r\n'))
        expectFolded(header)
        const entity = parseMessage(octets)
        expect(entity.defects).toEqual([])
        const { references = [], fields = [], subject = '' } = draft
        const lists = [
          ['From', [draft.from]],
          ['Sender', draft.sender === undefined ? [] : [draft.sender]],
          ['Reply-To', draft.replyTo ?? []],
          ['To', draft.to ?? []],
          ['Cc', draft.cc ?? []],
        ] as const
        const present = lists.filter(([, list]) => list.length > 0)
        for (const [name, list] of present) expect(entity.header.addresses(name)).toEqual(list.map((entry) => written(entry)))
        if (draft.date !== undefined) expect(entity.header.date()?.getTime()).toBe(Math.floor(draft.date.getTime() / 1000) * 1000)
        const expected = [
          ...(subject === '' ? [] : [['Subject', subject]]),
          ['Message-ID', `<${draft.messageId ?? composed.messageId}>`],
          ...(draft.inReplyTo === undefined ? [] : [['In-Reply-To', `<${draft.inReplyTo}>`]]),
          ...(references.length === 0 ? [] : [['References', references.map((id) => `<${id}>`).join(' ')]]),
          ...fields,
          ['MIME-Version', '1.0'],
          ['Content-Type', 'text/plain; charset=us-ascii'],
        ]
        const found = fieldsOf(entity)
        expect(found.map(([name]) => name)).toEqual(['Date', ...present.map(([name]) => name), ...expected.map(([name]) => name)])
        expect(found.slice(1 + present.length)).toEqual(expected)
      },
    ),
    { numRuns: 250 },
  )
})

test('M50: bodies and attachments come back, of any kind, over each transport', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ text: optional(source), html: optional(source), attachments: fc.array(attachment, { maxLength: 4 }) }),
      anyTransport,
      async (given, transport) => {
        const make = (): Draft => ({
          ...BASE,
          text: given.text?.make(),
          html: given.html?.make(),
          attachments: given.attachments.map(({ source: from, ...rest }) => ({ ...rest, content: from.make(), size: from.size })),
        })
        const composed = composeMessage(make(), { transport })
        const { size } = composed
        const octets = await collect(composed)
        const used = [given.text, given.html, ...given.attachments.map(({ source: from }) => from)].filter((from) => from !== undefined)
        const isKnown = given.attachments.every(({ source: { isText, size: own } }) => isText || own !== undefined)
        expect(size).toBe(isKnown && used.slice(0, -given.attachments.length || undefined).every(inMemory) ? octets.length : undefined)
        if (used.every(inMemory)) {
          expect((await collect(composed)).equals(octets)).toBe(true)
          expect((await collect(composed.borrowed())).equals(octets)).toBe(true)
        }
        const wire = octets.toString('latin1')
        if (transport !== 'binary') {
          expect(wire.replaceAll('\r\n', '')).not.toMatch(transport === '7bit' ? /[\r\n\0\x80-\xff]/ : /[\r\n\0]/)
          for (const row of wire.split('\r\n')) expect(row.length).toBeLessThanOrEqual(998)
        }

        const entity = parseMessage(octets)
        const parts = leaves(entity)
        if (!parts.some(({ type }) => type === 'message/rfc822')) expect(entity.ambiguous).toBe(false)
        for (const body of [given.text, given.html]) if (body !== undefined) expectContent(parts.shift(), body)
        const isShown = (sent: (typeof given.attachments)[number]): boolean =>
          given.html !== undefined && sent.contentId !== undefined && sent.disposition !== 'attachment'
        const inOrder = [...given.attachments.filter(isShown), ...given.attachments.filter((sent) => !isShown(sent))]
        for (const sent of inOrder) {
          const part = parts.shift()
          expectContent(part, sent.source)
          const renamed = sent.type === 'message/rfc822' && part?.type === 'application/octet-stream' ? 'message.eml' : null
          expect(part?.fileName).toBe(sent.fileName === undefined || sent.fileName === '' ? renamed : sent.fileName)
          expect(part?.contentId).toBe(sent.contentId ?? null)
          expect(part?.disposition).toBe(sent.disposition ?? (sent.contentId === undefined ? 'attachment' : 'inline'))
          if (sent.type !== 'message/rfc822') {
            expect(part?.type).toBe(sent.type?.replace(/;.*/, '').toLowerCase() ?? (sent.source.isText ? 'text/plain' : 'application/octet-stream'))
          }
          expectFolded(part?.raw.toString('latin1').split('\r\n\r\n')[0] ?? '')
        }
        if (used.length === 0) expect(parts.shift()?.content().length).toBe(0)
        expect(parts).toEqual([])
      },
    ),
    { numRuns: 250 },
  )
})

function expectContent(part: Entity | undefined, sent: Source): void {
  const octets = part?.type === 'message/rfc822' ? part.parts[0]?.raw : part?.content()
  expect(octets?.equals(sent.expected)).toBe(true)
  if (sent.isText && part?.type.startsWith('text/') === true) expect(part.text()).toBe(sent.expected.toString().replace(/^\ufeff/, ''))
}

test('addresses as text are those that they are as objects', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ name: line(), address: mailbox.map(({ address }) => address) }), { minLength: 1, maxLength: 4 }),
      async (list) => {
        const plain = list.map(({ name, address }) => ({ name: name.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ''), address }))
        const words = plain.map(({ name, address }) => (name === '' ? address : `"${name.replaceAll(/["\\]/g, '\\$&')}" <${address}>`))
        const forms: Addresses[] = [words.join('; '), words, plain]
        const found = await Promise.all(forms.map(async (to) => (await parsed({ ...BASE, to })).entity.header.addresses('to')))
        for (const one of found) expect(one).toEqual(plain.map((entry) => written(entry)))
      },
    ),
    { numRuns: 100 },
  )
})
