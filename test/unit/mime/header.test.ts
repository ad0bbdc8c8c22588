import { expect, test } from 'vitest'
import { parseMessage } from '../../../src/mime/index.ts'

function headerOf(text: string) {
  return parseMessage(Buffer.from(`${text}\r\n\r\n`, 'latin1')).header
}

test('keeps order, repetition, letter case and every octet', () => {
  const text = 'Received: one\r\nRECEIVED: two\r\n\tfolded\r\nSubject : x\r\nnot a field\r\n: nameless'
  const { fields } = headerOf(text)
  expect(fields.map(({ name, value, offset }) => [name, value, offset])).toEqual([
    ['Received', 'one', 0],
    ['RECEIVED', 'two\tfolded', 15],
    ['Subject', 'x', 39],
    ['', 'not a field', 52],
    ['', ': nameless', 65],
  ])
  expect(Buffer.concat(fields.map(({ raw }) => raw)).toString()).toBe(`${text}\r\n`)
})

test('looks fields up by name in any letter case, the first before the others', () => {
  const header = headerOf('To: a@x\r\nsubject: first\r\nSUBJECT: second')
  expect(header.value('Subject')).toBe('first')
  expect(header.values('sUBJECT')).toEqual(['first', 'second'])
  expect(header.value('Nope')).toBeUndefined()
  expect(header.value('')).toBeUndefined()
  expect(header.addresses('to')).toEqual([{ name: '', address: 'a@x' }])
  expect(header.addresses('cc')).toEqual([])
  expect(header.date()).toBeNull()
})

test('finds the same field in a header section of any size', () => {
  const many = Array.from({ length: 500 }, (_, at) => `X-${at}: ${at}`).join('\r\n')
  const header = headerOf(`${many}\r\nSubject: s`)
  for (let round = 0; round < 20; round++) expect(header.value('subject')).toBe('s')
  expect(header.value('x-499')).toBe('499')
  expect(header.fields.length).toBe(501)
})

test('a fold is removed, a lone CR is a blank, NUL is no character', () => {
  expect(headerOf('Subject:\r\n a\r\n\tb  c').value('subject')).toBe('a\tb  c')
  expect(headerOf('Subject: one\rBcc: x').value('subject')).toBe('one Bcc: x')
  expect(headerOf('Sub\0ject: a\0b').value('subject')).toBe('a\ufffdb')
})

test('octets above ASCII at the end of a value are not blanks', () => {
  expect(headerOf('Subject: \xc3\xa0').value('subject')).toBe('à')
})

test('a defect in a folded field is where it is in the message', () => {
  const text = 'Subject: x\r\nDate:\r\n Sun,\r\n 99 Nov 2026 10:00:00 +0000\r\n\r\n'
  const root = parseMessage(Buffer.from(text))
  void root.header.date()
  const [defect] = root.defects
  expect(defect?.code).toBe('invalid-date')
  expect(defect?.offset).toBeGreaterThanOrEqual(text.indexOf('Date'))
  expect(defect?.offset).toBeLessThan(text.length)
})

test.each([
  ['a From_ line', 'From a@x Thu Jan  1 00:00:00 2020\r\n>From b\r\nSubject: s', 'mbox-line'],
  ['a first line that continues nothing', ' x\r\nSubject: s', 'continuation-first'],
  ['a line of blanks', 'A: b\r\n  \r\nSubject: s', 'blank-line-in-header'],
  ['a line without a colon', 'A: b\r\nnope\r\nSubject: s', 'field-without-colon'],
  ['a name with a blank in it', 'A: b\r\nc d: e\r\nSubject: s', 'field-name-invalid'],
])('goes on after %s', (_name, text, code) => {
  const root = parseMessage(Buffer.from(`${text}\r\n\r\nbody`))
  expect(root.header.value('subject')).toBe('s')
  expect(root.content().toString()).toBe('body')
  expect(root.defects.map((defect) => defect.code)).toContain(code)
})

test('a fixed number of defects of one code is kept', () => {
  const root = parseMessage(Buffer.from(`A: b\r\n${'nope\r\n'.repeat(1000)}\r\n`))
  expect(root.defects.length).toBe(10)
})

test('a defect in every octet of a folded field costs no more than one', () => {
  const root = parseMessage(Buffer.from(`References: ${'<a@\r\n '.repeat(100_000)}\r\nContent-ID: x\r\n\r\n`))
  expect(root.ambiguous).toBe(false)
  expect(root.defects.filter(({ code }) => code === 'invalid-message-id').length).toBeGreaterThan(1)
})

test('reads structured fields by a parser, every one of the name', () => {
  const { header } = parseMessage(Buffer.from('Received: one\r\nReferences: <a@x> (c)\r\n <b@y>\r\nreceived: two\r\n\r\n'))
  expect(header.read('Received', (body) => body)).toEqual(['one', 'two'])
  expect(header.read('X-None', (body) => body)).toEqual([])
  expect(header.messageIds('References')).toEqual(['a@x', 'b@y'])
})
