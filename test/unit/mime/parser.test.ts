import { expect, test } from 'vitest'
import { parseMessage, type Entity, type ParseOptions } from '../../../src/mime/index.ts'
import { everySplit } from '../../support/every-split.ts'
import { parsed, streamed } from '../../support/read-whole.ts'

function message(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** One line an entity: section, type, and for a leaf its content. */
function outline(entity: Entity): string[] {
  const own = `${entity.section}:${entity.type}`
  if (entity.parts.length === 0) return [`${own} ${JSON.stringify(entity.content().toString('latin1'))}`]
  return [own, ...entity.parts.flatMap(outline)]
}

function codes(entity: Entity): string[] {
  return [...entity.defects.map(({ code }) => code), ...entity.parts.flatMap(codes)]
}

const NESTED = message(
  'Subject: outer',
  'Content-Type: multipart/mixed; boundary=o',
  '',
  'preamble',
  '--o',
  '',
  'one',
  '--o',
  'Content-Type: message/rfc822',
  '',
  'Content-Type: multipart/alternative; boundary=i',
  '',
  '--i',
  '',
  'plain',
  '--i',
  'Content-Type: text/html',
  '',
  '<p>',
  '--i--',
  '',
  '--o',
  'Content-Type: message/rfc822',
  '',
  'Subject: leaf',
  '',
  'inside',
  '--o--',
  'epilogue',
)

test('numbers parts as IMAP does, an enclosed message under its own number', () => {
  expect(outline(parseMessage(NESTED))).toEqual([
    ':multipart/mixed',
    '1:text/plain "one"',
    '2:message/rfc822',
    '2:multipart/alternative',
    '2.1:text/plain "plain"',
    '2.2:text/html "<p>"',
    '3:message/rfc822',
    '3.1:text/plain "inside"',
  ])
})

test('a message that is itself an enclosed message is part 1 of itself', () => {
  expect(outline(parseMessage(message('Content-Type: message/rfc822', '', 'Subject: in', '', 'x')))).toEqual([
    ':message/rfc822',
    '1.1:text/plain "x"',
  ])
})

test('raw octets are views, content is owned', () => {
  const octets = Buffer.from(NESTED)
  const root = parseMessage(octets)
  expect(root.raw.buffer).toBe(octets.buffer)
  const [part] = root.parts
  expect(part?.raw.toString()).toBe('\r\none')
  const content = part?.content()
  octets.fill(0)
  expect(content?.toString()).toBe('one')
})

test.each([
  ['nested', NESTED],
  ['encoded message', message('Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', '', Buffer.from(NESTED).toString('base64'))],
  ['nothing', Buffer.alloc(0)],
  ['a carriage return', Buffer.from('\r')],
  ['two hyphens', Buffer.from('--')],
  ['a field without end', Buffer.from('Subject: x')],
  ['a delimiter at the end', message('Content-Type: multipart/mixed; boundary=b', '', '--b')],
  ['a delimiter line cut', message('Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'x', '--')],
  ['close alone', message('Content-Type: multipart/mixed; boundary=b', '', '--b--')],
  ['empty enclosed message', message('Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: message/rfc822', '', '--b--')],
  ['text in the header', message('Content-Type: multipart/mixed; boundary=b', '', '--b', 'A: b', 'text', 'C: d', '--b--')],
])('the same at every split: %s', async (_name, octets) => {
  const whole = parsed(octets)
  for (const chunks of everySplit(octets)) {
    const sizes = chunks.map((chunk) => chunk.length).filter((size) => size > 0)
    expect(await streamed(octets, () => sizes.shift() ?? 1)).toEqual(whole)
  }
})

test('a delimiter right behind a delimiter begins no part; an empty line begins one', () => {
  const root = parseMessage(message('Content-Type: multipart/mixed; boundary=b', '', '--b', '--b', '', '--b', '', '', '--b--'))
  expect(outline(root)).toEqual([':multipart/mixed', '1:text/plain ""', '2:text/plain ""'])
  expect(codes(root)).toContain('empty-part')
})

test('an encoded enclosed message is decoded and taken apart, its offsets its own', () => {
  const inner = message('Subject: in', 'Content-Type: multipart/mixed; boundary=i', '', '--i', '', 'x', '--i--', '')
  const root = parseMessage(
    message(
      'Content-Type: multipart/mixed; boundary=o',
      '',
      '--o',
      'Content-Type: message/rfc822',
      'Content-Transfer-Encoding: base64',
      '',
      inner.toString('base64'),
      '--o--',
    ),
  )
  const enclosed = root.parts[0]?.parts[0]
  expect(enclosed?.raw).toEqual(inner)
  expect(enclosed?.header.fields.map(({ offset }) => offset)).toEqual([0, 13])
  expect(root.parts[0]?.content()).toEqual(inner)
  expect(codes(root)).toEqual(['encoded-message'])
})

test('a multipart without parts keeps its body, delimiters and all', () => {
  for (const body of ['just text\r\n', '--b\r\n--b--\r\n', '']) {
    const root = parseMessage(message('Content-Type: multipart/mixed; boundary=b', '', body))
    expect(root.parts).toEqual([])
    expect(root.content().toString()).toBe(body)
  }
})

test('an unknown encoding leaves the octets, and the type says so', () => {
  const root = parseMessage(message('Content-Type: text/plain', 'Content-Transfer-Encoding: x-nope', '', 'aGk='))
  expect([root.type, root.encoding, root.content().toString()]).toEqual(['application/octet-stream', 'x-nope', 'aGk='])
  expect(codes(root)).toEqual(['unknown-encoding'])
})

test('names that objects have already are names like others', () => {
  const root = parseMessage(message('__proto__: a', 'constructor: b', 'Content-Type: text/plain; __proto__=c; toString=d', '', ''))
  expect(root.header.value('__proto__')).toBe('a')
  expect(root.header.value('Constructor')).toBe('b')
  expect(root.header.value('toString')).toBeUndefined()
  expect(root.parameters.get('__proto__')).toBe('c')
})

const LIMITED = message(
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'X-A: 1',
  '',
  'one',
  '--b',
  'X-B: 2',
  '',
  'two',
  '--b',
  '',
  'three',
  '--b--',
)

test.each<[string, ParseOptions['limits'], string[], string]>([
  ['depth', { depth: 0 }, [':multipart/mixed', '1:text/plain "one"', '2:text/plain "two"', '3:text/plain "three"'], ''],
  [
    'parts',
    { parts: 1 },
    [':multipart/mixed', '1:text/plain "one"', '2:application/octet-stream "X-B: 2\\r\\n\\r\\ntwo\\r\\n--b\\r\\n\\r\\nthree\\r\\n--b--"'],
    'parts-limit',
  ],
  ['parts, none', { parts: 0 }, [':multipart/mixed', `1:application/octet-stream ${JSON.stringify(LIMITED.subarray(50).toString())}`], 'parts-limit'],
  [
    'message',
    { messageBytes: 65 },
    [
      ':multipart/mixed',
      '1:text/plain "one\\r\\n"',
      '2:application/octet-stream "--b\\r\\nX-B: 2\\r\\n\\r\\ntwo\\r\\n--b\\r\\n\\r\\nthree\\r\\n--b--"',
    ],
    'message-limit',
  ],
])('past the limit of %s the rest is one leaf', async (_name, limits, expected, code) => {
  const root = parseMessage(LIMITED, { limits })
  expect(outline(root)).toEqual(expected)
  expect(codes(root).filter((one) => one.endsWith('-limit'))).toEqual(code === '' ? [] : [code])
  for (const size of [1, 3, 10, 100]) expect(await streamed(LIMITED, () => size, { limits })).toEqual(parsed(LIMITED, { limits }))
  if (code !== '')
    expect(() => parseMessage(LIMITED, { limits, onLimit: 'error' })).toThrow(expect.objectContaining({ code: 'ERR_LIMIT', phase: 'parse' }))
})

test.each([1, 2, 3, 4, 5, 6])('parts of an encoded message count before those after it, however the octets are cut: %i', async (parts) => {
  const inner = message('Content-Type: multipart/mixed; boundary=i', '', '--i', '', 'x', '--i', '', 'y', '--i--', '').toString('base64')
  const enclosed = ['--o', 'Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', '', inner]
  const octets = message('Content-Type: multipart/mixed; boundary=o', '', ...enclosed, ...enclosed, '--o', '', 'z', '--o--', '')
  const limits = { parts }
  const whole = parsed(octets, { limits })
  expect(codes(parseMessage(octets, { limits }))).toContain('parts-limit')
  for (const size of [1, 7, 100, octets.length]) expect(await streamed(octets, () => size, { limits })).toEqual(whole)
})

test('what is past one limit is not divided by another', async () => {
  const limits = { parts: 1, messageBytes: 80 }
  expect(outline(parseMessage(LIMITED, { limits })).length).toBe(3)
  for (const size of [1, 10, 100]) expect(await streamed(LIMITED, () => size, { limits })).toEqual(parsed(LIMITED, { limits }))
})

test('a multipart at the limit of depth is opened, one below it is a leaf', () => {
  const root = parseMessage(NESTED, { limits: { depth: 1 } })
  expect(outline(root)[2]).toBe('2:message/rfc822')
  expect(codes(root)).toContain('depth-limit')
  expect(outline(root)[3]?.startsWith('2:multipart/alternative "--i')).toBe(true)
})

test('fields past the limit of a header section are left out, the body is not', () => {
  const octets = message('A: 1', 'B: 22', ' folded', `C: ${'x'.repeat(500)}`, 'D: 4', '', 'body')
  const cut = { limits: { headerBytes: 15 } }
  expect(parseMessage(octets, cut).header.fields.map(({ name }) => name)).toEqual(['A'])
  expect(parseMessage(octets, cut).content().toString()).toBe('body')
  expect(codes(parseMessage(octets, cut))).toEqual(['header-limit'])
  expect(() => parseMessage(octets, { ...cut, onLimit: 'error' })).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
  expect(parseMessage(octets, { limits: { headerBytes: 25 } }).header.fields.map(({ name }) => name)).toEqual(['A', 'B'])
})

test('text that looks like a header section and never ends stays text', () => {
  const text = `Note: this\r\n${'is text without an empty line\r\n'.repeat(20)}`
  const root = parseMessage(Buffer.from(text), { limits: { headerBytes: 100 } })
  expect(root.header.fields.map(({ name }) => name)).toEqual(['Note'])
  expect(root.content().toString()).toBe(text.slice(12))
})

test('one endless line without a colon is text, one with a field name is a field past the limit', () => {
  const text = Buffer.alloc(5000, 'a')
  const limits = { headerBytes: 2000 }
  const root = parseMessage(text, { limits })
  expect(root.content()).toEqual(text)
  expect(codes(root)).toEqual(['empty-header', 'missing-blank-line'])
  const field = parseMessage(Buffer.concat([Buffer.from('A: '), text, Buffer.from('\n\nbody')]), { limits })
  expect(field.content().toString()).toBe('body')
  expect(codes(field)).toContain('header-limit')
  // Where no header section is allowed at all, one is still told from a body.
  expect(
    parseMessage(Buffer.from('A: b\n\nbody'), { limits: { headerBytes: 0 } })
      .content()
      .toString(),
  ).toBe('body')
})

test('strict turns what is worse than a note into an error', () => {
  const clean = message('Subject: x', '', 'y')
  expect(parseMessage(clean, { strict: true }).section).toBe('')
  for (const octets of [
    message('Subject: a', 'Subject: b', '', ''),
    message('Content-Type: multipart/mixed', '', ''),
    message('Content-Transfer-Encoding: base64', '', 'a*b=c'),
    message('Date: yesterday', '', ''),
  ]) {
    expect(() => parseMessage(octets, { strict: true })).toThrow(expect.objectContaining({ code: 'ERR_CONTENT', phase: 'parse' }))
  }
})

test('strict turns the defects that it names into errors, notes too, and no others', () => {
  const octets = message('Subject: a', 'Subject: b', 'X : y', '', '')
  const codesOf = (strict: boolean | readonly string[]): unknown => {
    try {
      return codes(parseMessage(octets, { strict }))
    } catch (error) {
      return error
    }
  }
  const found = ['duplicate-field', 'field-name-blank']
  expect(codesOf(['bare-cr', 'parts-limit'])).toEqual(found)
  expect(codesOf([])).toEqual(found)
  for (const code of found) expect(codesOf(['bare-cr', code])).toMatchObject({ code: 'ERR_CONTENT', message: expect.stringContaining(code) })
})

test.each<[string, object]>([
  ['a limit that is no number', { limits: { depth: Number.NaN } }],
  ['a negative limit', { limits: { parts: -1 } }],
  ['an unknown limit', { limits: { depths: 3 } }],
  ['strict', { strict: 1 }],
  ['strict with a code that there is not', { strict: ['bare-cr', 'no-such-defect'] }],
  ['strict with what is no code', { strict: [1] }],
  ['strict as text', { strict: 'bare-cr' }],
  ['onLimit', { onLimit: 'ignore' }],
])('refuses a wrong option: %s', (_name, options) => {
  expect(() => parseMessage(Buffer.alloc(0), Object.assign({}, options))).toThrow(expect.objectContaining({ code: 'ERR_OPTION', phase: 'options' }))
})

test('defects do not depend on what is asked for first', () => {
  const octets = message('From: a@b, c@', 'Date: nope', 'From: x', 'Content-Type: text/html/x; a', 'Subject: \xff', '', '')
  const one = parseMessage(octets)
  void one.defects
  void one.header.date()
  void one.header.addresses('from')
  void one.header.value('subject')
  const other = parseMessage(octets)
  void other.header.value('subject')
  void other.header.addresses('from')
  void other.header.date()
  void other.charset
  expect(other.defects).toEqual(one.defects)
  const offsets = one.defects.map(({ offset }) => offset)
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
})

test('preamble and epilogue are reachable; the line end before a delimiter belongs to it, also behind a close delimiter', () => {
  const inner = ['Content-Type: multipart/mixed; boundary=i', '', '--i', '', 'x', '--i--']
  for (const [before, after, preamble, epilogue, end] of [
    [['first'], ['last'], 'first', 'last', '--i--'],
    [['', ''], [''], '\r\n', '', '--i--'],
    [[], [], '', '', '--i--'],
  ] as const) {
    const root = parseMessage(message('Content-Type: multipart/mixed; boundary=o', '', ...before, '--o', ...inner, '--o--', ...after))
    expect([root.preamble.toString(), root.epilogue.toString()]).toEqual([preamble, epilogue])
    expect(root.parts[0]?.raw.toString().endsWith(end)).toBe(true)
    expect(root.parts[0]?.parts[0]?.preamble.length).toBe(0)
  }
  const empty = parseMessage(message('Content-Type: multipart/mixed; boundary=o', '', '--o', ...inner, '', '--o--'))
  expect(empty.parts[0]?.raw.toString().endsWith('--i--\r\n')).toBe(true)
  const never = parseMessage(message('Content-Type: multipart/mixed; boundary=o', '', 'all of it'))
  expect([never.preamble.toString(), never.epilogue.toString()]).toEqual(['all of it', ''])
})

test('an enclosed message that is a header section right before a delimiter: its empty line is the delimiter’s', () => {
  for (const inner of [['Subject: s', ''], [''], ['Content-Type: message/rfc822', '', 'A: b', '']]) {
    const text = ['--b', 'Content-Type: message/rfc822', '', ...inner, '--b--']
    const [part] = parseMessage(message('Content-Type: multipart/mixed; boundary=b', '', ...text)).parts
    expect(part?.content()).toEqual(message(...inner.slice(0, -1), ...(inner.length > 1 ? [''] : [])))
    expect(part?.parts[0]?.raw).toEqual(part?.content())
    expect(part?.parts[0]?.text()).toBe(inner.length > 2 ? 'A: b\r\n' : '')
  }
})
