import type * as Crypto from 'node:crypto'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { expect, test, vi } from 'vitest'
import { MailError } from '../../../src/errors.ts'
import { composeMessage, composePart } from '../../../src/mime/composer.ts'
import type { ComposeOptions, Composed, Content, Draft } from '../../../src/mime/draft.ts'
import { editMessage } from '../../../src/mime/edit.ts'
import type { Entity } from '../../../src/mime/entity.ts'
import { parseMessage } from '../../../src/mime/parser.ts'

const random = vi.hoisted(() => ({ next: [] as Buffer[] }))
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof Crypto>()
  return { ...crypto, randomBytes: (size: number) => random.next.shift() ?? crypto.randomBytes(size) }
})

const BASE: Draft = { from: 'Anna <anna@a.test>', to: 'b@b.test', date: new Date('2026-11-22T10:00:00Z'), messageId: 'one@a.test' }
const RAW = Buffer.from('a\rb\nc\r\nd\r\n.\r\n\n.\r\n\r.\r\0\xff \r\n', 'latin1')

async function collect(composed: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of composed) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function compose(draft: Partial<Draft>, options?: ComposeOptions): Promise<string> {
  return (await collect(composeMessage({ ...BASE, ...draft }, options))).toString('latin1')
}

async function parsed(draft: Partial<Draft>, options?: ComposeOptions): Promise<Entity> {
  return parseMessage(await collect(composeMessage({ ...BASE, ...draft }, options)))
}

async function* streamOf(...chunks: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
}

/** `multipart/mixed(text/plain, …)`. */
function tree(entity: Entity): string {
  return entity.parts.length === 0 ? entity.type : `${entity.type}(${entity.parts.map((part) => tree(part)).join(', ')})`
}

function leaves(entity: Entity): Entity[] {
  return entity.parts.length === 0 ? [entity] : entity.parts.flatMap((part) => leaves(part))
}

async function failure(work: () => unknown): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error instanceof MailError ? `${error.code} ${error.phase}` : error
  }
  return 'none'
}

/** What may be on the wire of a transport for 7 or 8 bits (RFC 5322 §2.1, §2.3). */
function expectLegal(wire: string, eightBit = false): void {
  expect(wire.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/)
  if (!eightBit) expect(wire).not.toMatch(/[\x80-\xff]/)
  for (const line of wire.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
}

test('writes a plain mail', async () => {
  expect(
    await compose({
      cc: ['C <c@c.test>', { name: 'D, E', address: 'd@d.test' }],
      replyTo: 'r@r.test',
      sender: 's@s.test',
      subject: 'Hello',
      inReplyTo: 'zero@a.test',
      references: ['x@a.test', 'zero@a.test'],
      fields: [['X-Order', '17']],
      text: 'Hi\nthere\rBob',
    }),
  ).toBe(
    [
      'Date: Sun, 22 Nov 2026 10:00:00 +0000',
      'From: Anna <anna@a.test>',
      'Sender: s@s.test',
      'Reply-To: r@r.test',
      'To: b@b.test',
      'Cc: C <c@c.test>, "D, E" <d@d.test>',
      'Subject: Hello',
      'Message-ID: <one@a.test>',
      'In-Reply-To: <zero@a.test>',
      'References: <x@a.test> <zero@a.test>',
      'X-Order: 17',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=us-ascii',
      '',
      'Hi',
      'there',
      'Bob',
    ].join('\r\n'),
  )
})

test('makes what the draft leaves out', async () => {
  const composed = composeMessage({ from: 'anna@a.test' })
  const entity = parseMessage(await collect(composed))
  expect(composed.messageId).toMatch(/^[!-~]{16,}@a\.test$/)
  expect(entity.header.value('message-id')).toBe(`<${composed.messageId}>`)
  expect(Math.abs(Date.now() - (entity.header.date()?.getTime() ?? 0))).toBeLessThan(60_000)
  expect(entity.type).toBe('text/plain')
  expect(entity.content().length).toBe(0)
  expect(composeMessage({ from: 'anna@a.test' }).messageId).not.toBe(composed.messageId)
})

const UMLAUTS = 'Die Grüße gehen an alle Kunden in diesem Land\n'
test.each<[name: string, text: string, encodings: [seven: string, eight: string, binary: string]]>([
  ['ASCII', 'a\r\nb', ['7bit', '7bit', '7bit']],
  ['a line of 998', 'x'.repeat(998), ['7bit', '7bit', '7bit']],
  ['a line of 999', 'x'.repeat(999), ['quoted-printable', 'quoted-printable', 'binary']],
  ['umlauts', UMLAUTS, ['quoted-printable', '8bit', '8bit']],
  ['Greek', 'αβγδε ζηθ', ['base64', '8bit', '8bit']],
  ['umlauts in a long line', UMLAUTS.trim().repeat(60), ['quoted-printable', 'quoted-printable', 'binary']],
  ['blanks at the end of a line', '-- \nAnna', ['quoted-printable', 'quoted-printable', '7bit']],
  ['"From " at the start of a line', 'x\nFrom me', ['quoted-printable', 'quoted-printable', '7bit']],
  ['NUL', 'a\0b and some more', ['quoted-printable', 'quoted-printable', 'binary']],
  ['a dot that is a line (S12)', '.\r\n\r\n.\n.\r.', ['quoted-printable', 'quoted-printable', '7bit']],
  ['dots that begin lines', '.a\n..\n', ['7bit', '7bit', '7bit']],
])('text with %s travels in the plainest encoding that brings it home', async (_name, text, encodings) => {
  for (const [index, transport] of (['7bit', '8bit', 'binary'] as const).entries()) {
    const wire = await compose({ text }, { transport })
    if (transport !== 'binary') expectLegal(wire, transport === '8bit')
    const entity = parseMessage(Buffer.from(wire, 'latin1'))
    expect(entity.encoding).toBe(encodings[index])
    expect(entity.charset).toBe(/^[\0-\x7f]*$/.test(text) ? 'us-ascii' : 'utf-8')
    expect(entity.text()).toBe(text.replaceAll(/\r\n|\r|\n/g, '\r\n'))
  }
})

const image = { content: Buffer.from('GIF'), type: 'image/gif', contentId: 'logo@a.test' }
const pdf = { content: Buffer.from('PDF'), type: 'application/pdf', fileName: 'a.pdf' }
test.each<[name: string, draft: Partial<Draft>, tree: string]>([
  ['nothing', {}, 'text/plain'],
  ['text', { text: 'x' }, 'text/plain'],
  ['HTML', { html: '<p>' }, 'text/html'],
  ['text and HTML', { text: 'x', html: '<p>' }, 'multipart/alternative(text/plain, text/html)'],
  ['HTML with an image', { html: '<img src="cid:logo@a.test">', attachments: [image] }, 'multipart/related(text/html, image/gif)'],
  [
    'all of it',
    { text: 'x', html: '<img src="cid:logo@a.test">', attachments: [pdf, image] },
    'multipart/mixed(multipart/alternative(text/plain, multipart/related(text/html, image/gif)), application/pdf)',
  ],
  ['an image that no HTML shows', { text: 'x', attachments: [image] }, 'multipart/mixed(text/plain, image/gif)'],
  [
    'an image that is an attachment all the same',
    { html: 'x', attachments: [{ ...image, disposition: 'attachment' }] },
    'multipart/mixed(text/html, image/gif)',
  ],
  ['text and an attachment', { text: 'x', attachments: [pdf] }, 'multipart/mixed(text/plain, application/pdf)'],
  ['an attachment alone', { attachments: [pdf] }, 'multipart/mixed(application/pdf)'],
  ['an inline document alone', { attachments: [{ ...pdf, disposition: 'inline' }] }, 'application/pdf'],
  [
    'two inline documents',
    {
      attachments: [
        { ...pdf, disposition: 'inline' },
        { content: 'x', disposition: 'inline' },
      ],
    },
    'multipart/mixed(application/pdf, text/plain)',
  ],
  ['an attachment without a type', { attachments: [{ content: RAW }] }, 'multipart/mixed(application/octet-stream)'],
])('puts %s together', async (_name, draft, expected) => {
  const wire = await compose(draft)
  expectLegal(wire)
  const entity = parseMessage(Buffer.from(wire, 'latin1'))
  expect(tree(entity)).toBe(expected)
  expect(leaves(entity).flatMap((leaf) => leaf.defects)).toEqual([])
})

test('octets come back as they were, wherever they stand', async () => {
  const places: ((content: Content) => Partial<Draft>)[] = [
    (content) => ({ text: content }),
    (content) => ({ html: content }),
    (content) => ({ attachments: [{ content, type: 'text/csv', fileName: 'x.csv' }] }),
    (content) => ({ attachments: [{ content, type: 'application/edi-x12', disposition: 'inline' }] }),
    (content) => ({ text: 'x', attachments: [{ content, disposition: 'inline', type: 'text/plain' }] }),
  ]
  const forms: ((octets: Buffer) => Content)[] = [
    (octets) => octets,
    (octets) => new Uint8Array(octets),
    (octets) => streamOf(octets.subarray(0, 5), Buffer.alloc(0), octets.subarray(5)),
    (octets) => Readable.from([octets]),
  ]
  for (const transport of ['7bit', '8bit', 'binary'] as const) {
    for (const octets of [Buffer.alloc(0), RAW, Buffer.from('plain\r\ntext\r\n'), Buffer.from('x'.repeat(57 * 1680))]) {
      for (const place of places) {
        for (const form of forms) {
          const wire = await compose(place(form(octets)), { transport })
          if (transport !== 'binary') expectLegal(wire)
          expect(
            leaves(parseMessage(Buffer.from(wire, 'latin1')))
              .at(-1)
              ?.content()
              .equals(octets),
          ).toBe(true)
        }
      }
    }
  }
})

const ENCLOSED = 'Subject: in\r\n\r\nbody\r\n'
test.each<[name: string, content: Content, transport: '7bit' | '8bit' | 'binary', type: string, encoding: string]>([
  ['that fits', Buffer.from(ENCLOSED), '7bit', 'message/rfc822', '7bit'],
  ['given as text', ENCLOSED.replaceAll('\r\n', '\n'), '7bit', 'message/rfc822', '7bit'],
  ['of 8 bits over 7', Buffer.from(`${ENCLOSED}ü`), '7bit', 'application/octet-stream', 'base64'],
  ['of 8 bits over 8', Buffer.from(`${ENCLOSED}ü`), '8bit', 'message/rfc822', '8bit'],
  ['with lone line ends', Buffer.from(ENCLOSED.replaceAll('\r\n', '\n')), '8bit', 'application/octet-stream', 'base64'],
  ['with lone line ends over BINARYMIME', Buffer.from(ENCLOSED.replaceAll('\r\n', '\n')), 'binary', 'message/rfc822', 'binary'],
])('encloses a message %s without encoding it as one', async (_name, content, transport, type, encoding) => {
  const wire = await compose({ text: 'x', attachments: [{ content, type: 'message/rfc822' }] }, { transport })
  const part = parseMessage(Buffer.from(wire, 'latin1')).parts[1]
  expect(part).toMatchObject({ type, encoding })
  if (type === 'message/rfc822') expect(part?.parts[0]?.header.value('subject')).toBe('in')
  else expect(part?.content()).toEqual(content)
  if (encoding === '8bit' || encoding === 'binary') expect(parseMessage(Buffer.from(wire, 'latin1')).encoding).toBe(encoding)
})

test('a signed multipart is enclosed octet for octet, its boundary in one piece', async () => {
  const boundary = '=_ signed '.repeat(7).slice(0, 69).padEnd(70, 'x')
  const signed = [
    `--${boundary}`,
    '',
    'From me \tto you  ',
    '.',
    `--${boundary}`,
    'Content-Type: application/pgp-signature',
    '',
    'x',
    `--${boundary}--`,
    '',
  ].join('\r\n')
  const type = `multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="${boundary}"`
  const wire = await compose({ attachments: [{ content: Buffer.from(signed), type, disposition: 'inline' }] })
  expect(wire).toContain(`boundary="${boundary}"`)
  expect(wire.slice(wire.indexOf('\r\n\r\n') + 4)).toBe(signed)
  expect(tree(parseMessage(Buffer.from(wire)))).toBe('multipart/signed(text/plain, application/pgp-signature)')
})

test('a message with UTF-8 headers may be encoded (RFC 6532)', async () => {
  const [part] = (await parsed({ attachments: [{ content: Buffer.from('Subject: ü\r\n\r\n'), type: 'message/global' }] })).parts
  expect([part?.type, part?.encoding, part?.parts[0]?.header.value('subject')]).toEqual(['message/global', 'base64', 'ü'])
})

test('a stream that is a message goes as a file, octets exact', async () => {
  const entity = await parsed({ attachments: [{ content: streamOf(ENCLOSED), type: 'message/rfc822' }] })
  expect(entity.parts[0]).toMatchObject({ type: 'application/octet-stream', encoding: 'base64', fileName: 'message.eml' })
  expect(entity.parts[0]?.content().toString()).toBe(ENCLOSED)
})

test('writes names for readers of RFC 2231 and for those that know only encoded-words', async () => {
  const fileName = 'Zürich "2026", Übersicht für alle Beteiligten im ersten Halbjahr – 日本.pdf'
  const wire = await compose({ attachments: [{ content: RAW, fileName, type: 'Application/PDF; x=1; name=other' }] })
  expectLegal(wire)
  expect(wire).toMatch(/filename\*/)
  expect(wire).toMatch(/name="=\?utf-8\?/i)
  const part = parseMessage(Buffer.from(wire, 'latin1')).parts[0]
  expect(part).toMatchObject({ fileName, disposition: 'attachment', type: 'application/pdf' })
  expect(part?.parameters.get('x')).toBe('1')
  expect(part?.parameters.get('name')).toBe(fileName)
})

test("a string's charset is the composer's, whatever its type said", async () => {
  const entity = await parsed({ attachments: [{ content: 'ü', type: 'text/csv; charset=iso-8859-1; header=present' }] })
  expect(entity.parts[0]).toMatchObject({ type: 'text/csv', charset: 'utf-8' })
  expect(entity.parts[0]?.parameters.get('header')).toBe('present')
  expect(entity.parts[0]?.text()).toBe('ü')
})

/** The charset that a body and an inline document of these octets are labelled with. */
async function charsets(content: Content, type: string): Promise<(string | null)[]> {
  const bodies = [await parsed({ text: content }), await parsed({ attachments: [{ content, type, disposition: 'inline' }] })]
  return bodies.map((entity) => entity.parameters.get('charset') ?? null)
}

test('text in octets is labelled where it shows its charset', async () => {
  expect(await charsets(Buffer.from('plain'), 'text/csv')).toEqual(['us-ascii', null])
  expect(await charsets(Buffer.from('Täler'), 'text/csv')).toEqual(['utf-8', 'utf-8'])
  expect(await charsets(Buffer.from('Täler'), 'text/csv; charset=iso-8859-15')).toEqual(['utf-8', 'iso-8859-15'])
  expect(await charsets(Buffer.from('T\xe4ler', 'latin1'), 'text/csv')).toEqual([null, null])
  expect(await charsets(Buffer.from('Täler'), 'application/edifact')).toEqual(['utf-8', null])
})

test.each(['\r\nBcc: evil@e.test', '\nx', '\rx', '\0'])('S9: %j ends no line anywhere', async (poison) => {
  const bad: Partial<Draft>[] = [
    { from: `A${poison} <a@a.test>` },
    { from: { name: `A${poison}`, address: 'a@a.test' } },
    { from: { name: 'A', address: `a@a.test${poison}` } },
    { to: `a@a.test${poison}` },
    { to: [{ group: `G${poison}`, members: [] }] },
    { bcc: `a@a.test${poison}` },
    { bcc: [{ name: `x${poison}`, address: 'a@a.test' }] },
    { sender: `a@a.test${poison}` },
    { replyTo: [`A${poison} <a@a.test>`] },
    { cc: [{ group: 'G', members: [{ name: '', address: `"x${poison}"@a.test` }] }] },
    { subject: `x${poison}` },
    { messageId: `x${poison}@a.test` },
    { inReplyTo: `x${poison}@a.test` },
    { references: [`x${poison}@a.test`] },
    { fields: [[`X${poison}`, 'x']] },
    { fields: [['X', `x${poison}`]] },
    { attachments: [{ content: 'x', fileName: `x${poison}` }] },
    { attachments: [{ content: 'x', type: `text/plain${poison}` }] },
    { attachments: [{ content: 'x', type: `text/plain; x=y${poison}` }] },
    { attachments: [{ content: 'x', contentId: `x${poison}` }] },
  ]
  for (const draft of bad)
    expect(await failure(() => composeMessage({ ...BASE, ...draft })), JSON.stringify(draft)).toMatch(/^ERR_(HEADER|ADDRESS) compose$/)
})

test.each<[code: string, draft: unknown, options?: unknown]>([
  ['ERR_FROM_MISSING', {}],
  ['ERR_ADDRESS', { from: 'no address' }],
  ['ERR_ADDRESS', { ...BASE, to: 'a@b@c' }],
  ['ERR_HEADER', { ...BASE, date: new Date(Number.NaN) }],
  ['ERR_HEADER', { ...BASE, fields: [['Bcc', 'x@x.test']] }],
  ['ERR_HEADER', { ...BASE, fields: [['content-type', 'text/plain']] }],
  ['ERR_HEADER', { ...BASE, fields: [['FROM', 'x@x.test']] }],
  ['ERR_HEADER', { ...BASE, fields: [['X Y', 'x']] }],
  ['ERR_HEADER', { ...BASE, fields: [['X:', 'x']] }],
  ['ERR_HEADER', { ...BASE, fields: [['', 'x']] }],
  ['ERR_HEADER', { ...BASE, subject: 'half \ud83d' }],
  ['ERR_HEADER', { ...BASE, attachments: [{ content: 'x', fileName: 'half \udc00' }] }],
  ['ERR_HEADER', { ...BASE, fields: { 'X-A': 'x' } }],
  ['ERR_HEADER', { ...BASE, fields: ['ab'] }],
  ['ERR_HEADER', { ...BASE, fields: [null] }],
  ['ERR_HEADER', { ...BASE, date: '2026-11-22' }],
  ['ERR_ADDRESS', { ...BASE, to: { address: 'x@x.test' } }],
  ['ERR_ADDRESS', { ...BASE, to: [null] }],
  ['ERR_ADDRESS', { ...BASE, from: { name: 'half \ud83d' } }],
  ['ERR_CONTENT', { ...BASE, text: 'half \ud83d' }],
  ['ERR_CONTENT', { ...BASE, html: null }],
  ['ERR_CONTENT', { ...BASE, calendar: 'BEGIN:VCALENDAR\r\nX-METHOD:REQUEST\r\nEND:VCALENDAR' }],
  ['ERR_CONTENT', { ...BASE, calendar: 17 }],
  ['ERR_CONTENT', { ...BASE, calendar: Object.create(null) }],
  ['ERR_HEADER', { ...BASE, subject: 17 }],
  ['ERR_HEADER', { ...BASE, inReplyTo: 17 }],
  ['ERR_HEADER', { ...BASE, references: 'a@b' }],
  ['ERR_HEADER', { ...BASE, attachments: [{ content: 'x', fileName: 17 }] }],
  ['ERR_CONTENT', { ...BASE, attachments: 'x' }],
  ['ERR_HEADER', { ...BASE, attachments: [{ content: 'x', type: 'text' }] }],
  ['ERR_HEADER', { ...BASE, attachments: [{ content: 'x', type: '' }] }],
  ['ERR_HEADER', { ...BASE, attachments: [{ content: 'x', contentId: '<x' }] }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ content: { path: '/etc/passwd' } }] }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ path: '/etc/passwd' }] }],
  ['ERR_CONTENT', { ...BASE, text: 17 }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ content: RAW, size: RAW.length + 1 }] }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ content: streamOf('x'), size: -1 }] }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ content: streamOf('x'), size: Number.NaN }] }],
  ['ERR_CONTENT', { ...BASE, attachments: [{ content: 'x', disposition: 'form-data' }] }],
  ['ERR_OPTION', BASE, { transport: 'smoke' }],
])('%s is found before an octet is given: %o', async (code, draft, options) => {
  expect(await failure(() => Reflect.apply(composeMessage, undefined, [draft, options]))).toBe(`${code} compose`)
})

test('S10, S11: long values fold, and hidden recipients stay hidden', async () => {
  const subject = `${'ß'.repeat(5000)} ${'word '.repeat(2000)}`.trimEnd()
  const wire = await compose({
    subject,
    bcc: 'hidden@h.test',
    to: Array.from({ length: 500 }, (_, index) => `r${index}@b.test`),
    fields: [['X-Token', `${'x'.repeat(3000)} ü`]],
  })
  expectLegal(wire)
  expect(wire).not.toMatch(/hidden@|^bcc/im)
  const entity = parseMessage(Buffer.from(wire, 'latin1'))
  expect(entity.header.value('subject')).toBe(subject)
  expect(entity.header.addresses('to')).toHaveLength(500)
})

const INVITATION = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'METHOD:REQUEST', 'BEGIN:VEVENT', 'SUMMARY:Prüfung', 'END:VEVENT', 'END:VCALENDAR', ''].join(
  '\n',
)

test.each<[name: string, draft: Partial<Draft>, tree: string]>([
  ['alone', {}, 'multipart/mixed(text/calendar, application/ics)'],
  ['beside text', { text: 'x' }, 'multipart/mixed(multipart/alternative(text/plain, text/calendar), application/ics)'],
  [
    'beside text, HTML with its image and an attachment',
    { text: 'x', html: '<img src="cid:logo@a.test">', attachments: [pdf, image] },
    'multipart/mixed(multipart/alternative(text/plain, multipart/related(text/html, image/gif), text/calendar), application/pdf, application/ics)',
  ],
])('an invitation %s is an alternative that names its method, and a file', async (_name, draft, expected) => {
  for (const transport of ['7bit', '8bit'] as const) {
    const entity = await parsed({ ...draft, calendar: INVITATION }, { transport })
    expect(tree(entity)).toBe(expected)
    const [shown, file] = leaves(entity).filter(({ type }) => type === 'text/calendar' || type === 'application/ics')
    expect(shown).toMatchObject({ charset: 'utf-8', disposition: null, fileName: null })
    expect(shown?.parameters.get('method')).toBe('REQUEST')
    expect(file).toMatchObject({ disposition: 'attachment', fileName: 'invite.ics' })
    for (const part of [shown, file]) expect(part?.content().toString()).toBe(INVITATION.replaceAll('\n', '\r\n'))
  }
})

test("reads each property of the caller's objects once (S37)", async () => {
  const counts = new Map<string, number>()
  const counted = <T extends object>(path: string, object: T): T =>
    new Proxy(object, {
      get: (target, name, receiver) => {
        if (typeof name === 'string' && !Array.isArray(target)) counts.set(`${path}.${name}`, (counts.get(`${path}.${name}`) ?? 0) + 1)
        return Reflect.get(target, name, receiver)
      },
    })
  const mailbox = (path: string): { name: string; address: string } => counted(path, { name: 'A', address: 'a@a.test' })
  const draft = counted('draft', {
    ...BASE,
    from: mailbox('from'),
    sender: mailbox('sender'),
    to: [counted('group', { group: 'G', members: [mailbox('member')] })],
    cc: 'c@c.test',
    bcc: [mailbox('bcc')],
    replyTo: 'r@r.test',
    subject: 'x',
    inReplyTo: 'x@a.test',
    references: ['x@a.test'],
    text: 'x',
    html: 'x',
    calendar: INVITATION,
    attachments: [
      counted('attachment', { content: RAW, size: RAW.length, fileName: 'x', type: 'a/b', contentId: 'x@y', disposition: 'inline' as const }),
    ],
    fields: [['X-A', 'x'] as const],
  })
  await collect(composeMessage(draft, counted('options', { transport: '8bit' as const })))
  expect([...counts.values()].filter((count) => count !== 1)).toEqual([])
  expect(counts.size).toBe(16 + 5 * 2 + 6 + 1)
})

test('a boundary is none that content in memory holds', async () => {
  const taken = ['00', '11', '22'].map((octet) => octet.repeat(16))
  random.next = taken.map((hex) => Buffer.from(hex, 'hex'))
  const [zeros = '', ones = ''] = taken
  const entity = await parsed({
    text: `a\n--=_${zeros}--\n`,
    attachments: [{ content: Buffer.from(`Subject: x\r\n\r\n--=_${ones}\r\n`), type: 'message/rfc822' }],
  })
  expect(entity.parameters.get('boundary')).toBe(`=_${'22'.repeat(16)}`)
  expect(tree(entity)).toBe('multipart/mixed(text/plain, message/rfc822(text/plain))')
})

test('S34: a Node stream that was read before is no empty content', async () => {
  const file = Readable.from([Buffer.from('x')])
  await file.toArray()
  expect(await failure(() => collect(composeMessage({ ...BASE, text: file })))).toBe('ERR_CONTENT compose')
})

test('a web stream is read, cancelled when the message is left before its turn, and fails the message when it fails', async () => {
  const reasons: unknown[] = []
  const source = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.alloc(100_000)), cancel: (reason) => void reasons.push(reason) })
  for await (const chunk of composeMessage({ ...BASE, attachments: [{ content: source() }, { content: source() }] })) if (chunk.length > 20_000) break
  expect(reasons).toHaveLength(2)
  const reason = new Error('gone')
  const failed = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(reason) })
  const error = await collect(composeMessage({ ...BASE, text: failed })).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_CONTENT', cause: reason })
  const locked = new ReadableStream<Uint8Array>()
  locked.getReader()
  expect(await failure(() => collect(composeMessage({ ...BASE, text: locked })))).toBe('ERR_CONTENT compose')
})

test('a file name has as many characters as its pieces can be read with, and no more', async () => {
  const fileName = '😀'.repeat(2000)
  expect((await parsed({ attachments: [{ content: RAW, fileName }] })).parts[0]?.fileName).toBe(fileName)
  for (const attachment of [{ fileName: `${fileName}x` }, { type: `text/plain; x="${fileName}` }, { type: `text/plain; x=${'x'.repeat(4000)}` }]) {
    expect(await failure(() => composeMessage({ ...BASE, attachments: [{ content: RAW, ...attachment }] }))).toBe('ERR_HEADER compose')
  }
})

test('a file name may begin with a character that would be a mark in content', async () => {
  const fileName = '\ufeff\ufeff日本.txt'
  expect((await parsed({ attachments: [{ content: 'x', fileName }] })).parts[0]?.fileName).toBe(fileName)
})

test('an empty file name is none', async () => {
  expect((await parsed({ attachments: [{ content: RAW, fileName: '' }] })).parts[0]).toMatchObject({ fileName: null, disposition: 'attachment' })
})

test('knows its size when every source does, and keeps to it', async () => {
  const fixed: Partial<Draft> = {
    subject: 'x',
    text: UMLAUTS.repeat(5000),
    html: 'αβγ'.repeat(40_000),
    attachments: [pdf, { content: RAW, type: 'message/rfc822' }],
  }
  for (const transport of ['7bit', '8bit', 'binary'] as const) {
    for (const length of [0, 1, 56, 57, 58, 114, 200_000]) {
      const attachments = [...(fixed.attachments ?? []), { content: streamOf(Buffer.alloc(length)), size: length }]
      const composed = composeMessage({ ...BASE, ...fixed, attachments }, { transport })
      const { size } = composed
      expect((await collect(composed)).length).toBe(size)
    }
  }
  expect(composeMessage({ ...BASE, text: streamOf('x') }).size).toBeUndefined()
})

test.each<[name: string, content: () => Content, size: number | undefined]>([
  ['is longer than it said', () => streamOf('1234', '56'), 5],
  ['is shorter than it said', () => streamOf('1234'), 5],
  ['ends at once', () => streamOf(), 1],
  ['gives strings', () => Readable.from(['text']), undefined],
])('S34: a stream that %s fails the message', async (_name, content, size) => {
  for (const transport of ['7bit', 'binary'] as const) {
    const composed = composeMessage({ ...BASE, attachments: [{ content: content(), size }] }, { transport })
    expect(await failure(() => collect(composed))).toBe('ERR_CONTENT compose')
  }
})

test('S34: a stream that fails gives its reason', async () => {
  const reason = new Error('disk gone')
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half')
    throw reason
  }
  const error = await collect(composeMessage({ ...BASE, text: broken() })).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_CONTENT', phase: 'compose', cause: reason })
})

test('can be read again when all is in memory; a stream can be read once', async () => {
  const composed = composeMessage({ ...BASE, text: UMLAUTS.repeat(9000), attachments: [{ content: Buffer.alloc(300_000, 'x') }] })
  const first: Buffer[] = []
  for await (const chunk of composed) {
    first.push(Buffer.from(chunk))
    expect(chunk.length).toBeLessThanOrEqual(100_000)
    chunk.fill(0) // chunks are the reader's own
  }
  expect((await collect(composed)).equals(Buffer.concat(first))).toBe(true)
  const once = composeMessage({ ...BASE, text: streamOf('x') })
  await collect(once)
  expect(await failure(() => collect(once))).toBe('ERR_CONTENT compose')
  const shared = streamOf('x')
  expect(await failure(() => composeMessage({ ...BASE, text: shared, html: shared }))).toBe('ERR_CONTENT compose')
})

test('reads a stream only as far as it is asked to', async () => {
  let given = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < 100; index++) {
      given++
      yield Buffer.alloc(48_000)
    }
  }
  const composed: Composed = composeMessage({ ...BASE, attachments: [{ content: source() }] })
  const reader = composed[Symbol.asyncIterator]()
  expect(given).toBe(0)
  let taken = 0
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) expect(given).toBeLessThanOrEqual(++taken + 1)
  expect(given).toBe(100)
})

test('closes every stream when it is left early', async () => {
  const closed: string[] = []
  async function* source(name: string): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.alloc(100_000)
    } finally {
      closed.push(name)
    }
  }
  const waiting = source('waiting')
  const file = Readable.from([Buffer.from('x')])
  const ended = composeMessage({ ...BASE, attachments: [{ content: source('under way') }, { content: waiting }, { content: file }] })
  for await (const chunk of ended) if (chunk.length > 20_000) break
  expect(closed).toEqual(['under way'])
  expect(await waiting.next()).toEqual({ done: true, value: undefined })
  expect(file.destroyed).toBe(true)
})

test('closes a stream that hangs when it is left', async () => {
  const hanging = new Readable({ read: () => {} })
  const reader = composeMessage({ ...BASE, attachments: [{ content: hanging }] })[Symbol.asyncIterator]()
  const waiting = failure(() => reader.next())
  await new Promise((done) => setImmediate(done))
  await reader.return?.()
  expect(hanging.destroyed).toBe(true)
  expect(await waiting).toBe('ERR_CONTENT compose')
})

test('closes every stream when it is left before its first octet', async () => {
  const file = Readable.from([Buffer.from('x')])
  const reader = composeMessage({ ...BASE, attachments: [{ content: file }] })[Symbol.asyncIterator]()
  await reader.return?.()
  expect(file.destroyed).toBe(true)
})

test('S34: a stream that fails before its turn fails the message when it comes', async () => {
  const reason = new Error('no such file')
  const file = new Readable({ read: () => {} })
  const composed = composeMessage({ ...BASE, attachments: [{ content: file }] })
  file.destroy(reason)
  await new Promise((done) => file.once('close', done))
  const error = await collect(composed).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'ERR_CONTENT', cause: reason })
})

test('borrowed chunks are the same octets, each valid until the seventh after it', async () => {
  const octets = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7919) >> 5))
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0, size = 1; at < octets.length; at += size, size = (size * 3 + 40_000) % 200_000) yield octets.subarray(at, at + size)
  }
  const draft = { from: 'a@example.test', date: new Date(0), messageId: 'x@example.test', text: 'y'.repeat(70_000) }
  const message = (): Composed => composeMessage({ ...draft, attachments: [{ content: pieces(), size: octets.length }, { content: octets }] })
  const taken: Buffer[] = []
  const late: Buffer[] = []
  for await (const chunk of message().borrowed()) {
    late.push(chunk)
    const oldest = late.length > 7 ? late.shift() : undefined
    if (oldest !== undefined) taken.push(Buffer.from(oldest))
  }
  const text = Buffer.concat([...taken, ...late]).toString('latin1')
  const boundary = /boundary="?([^"\r]+)/.exec(text)?.[1] ?? ''
  const encoded = text
    .split(`--${boundary}`)
    .slice(2, 4)
    .map((part) => part.slice(part.indexOf('\r\n\r\n') + 4))
  expect(encoded.map((part) => Buffer.from(part, 'base64').equals(octets))).toEqual([true, true])
  expect(text).toHaveLength(message().size ?? 0)
})

test('one part alone, in place of another', async () => {
  const part = await composePart({ content: Buffer.from('\0\r'), fileName: 'ü.bin', contentId: 'c' })
  const message = parseMessage(Buffer.from('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n'))
  const [one, two] = message.parts
  if (one === undefined || two === undefined) expect.fail('two parts')
  const [, second] = parseMessage(editMessage(message, [{ replace: two, by: part }])).parts
  expect([second?.content(), second?.fileName, second?.contentId, second?.disposition]).toEqual([Buffer.from('\0\r'), 'ü.bin', 'c', 'inline'])
  expect(second?.header.value('MIME-Version')).toBeUndefined()
  const first = parseMessage(
    editMessage(message, [{ add: await composePart({ content: Readable.from([Buffer.from('x')]), type: 'text/csv' }), to: message, before: one }]),
  ).parts[0]
  expect([first?.type, first?.text()]).toEqual(['text/csv', 'x'])
  await expect(composePart({ content: 'x', fileName: 'a\r\nb' })).rejects.toMatchObject({ code: 'ERR_HEADER' })
})
