import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { openWinmail, type Winmail } from '../../../src/mime/winmail.ts'
import { growth, isLinear } from '../../support/linear.ts'

// A writer of TNEF, as MS-OXTNEF has it.
const u16 = (value: number): Buffer => Buffer.of(value & 255, value >> 8)
const u32 = (value: number): Buffer => {
  const octets = Buffer.alloc(4)
  octets.writeUInt32LE(value)
  return octets
}
const padded = (octets: Buffer): Buffer => Buffer.concat([octets, Buffer.alloc(-octets.length & 3)])
const sum = (octets: Buffer): number => octets.reduce((total, octet) => (total + octet) & 0xffff, 0)
const attribute = (level: number, id: number, octets: Buffer, checksum = sum(octets)): Buffer =>
  Buffer.concat([Buffer.of(level), u32(id), u32(octets.length), octets, u16(checksum)])
const tnef = (...attributes: Buffer[]): Buffer => Buffer.concat([u32(0x22_3e_9f_78), u16(1), ...attributes])
const properties = (...all: Buffer[]): Buffer => Buffer.concat([u32(all.length), ...all])
const variable = (type: number, id: number, ...values: Buffer[]): Buffer =>
  Buffer.concat([u16(type), u16(id), u32(values.length), ...values.flatMap((value) => [u32(value.length), padded(value)])])
const string8 = (id: number, text: string): Buffer => variable(0x1e, id, Buffer.from(`${text}\0`, 'latin1'))
const unicode = (id: number, text: string): Buffer => variable(0x1f, id, Buffer.from(`${text}\0`, 'utf16le'))
const binary = (id: number, octets: Buffer): Buffer => variable(0x102, id, octets)
const long = (id: number, value: number): Buffer => Buffer.concat([u16(3), u16(id), u32(value)])
const object = (octets: Buffer): Buffer => variable(0x0d, 0x3701, Buffer.concat([Buffer.from('0703020000000000c000000000000046', 'hex'), octets]))

const VERSION = attribute(1, 0x00_08_90_06, u32(0x1_00_00))
const codepage = (page: number): Buffer => attribute(1, 0x00_06_90_07, Buffer.concat([u32(page), u32(0)]))
const messageProperties = (...all: Buffer[]): Buffer => attribute(1, 0x00_06_90_03, properties(...all))
const START = attribute(2, 0x00_06_90_02, Buffer.alloc(14))
const title = (name: string): Buffer => attribute(2, 0x00_01_80_10, Buffer.from(`${name}\0`, 'latin1'))
const content = (octets: Buffer): Buffer => attribute(2, 0x00_06_80_0f, octets)
const attachmentProperties = (...all: Buffer[]): Buffer => attribute(2, 0x00_06_90_05, properties(...all))

const HELLO = Buffer.from('Hello\0World')
const names = ({ attachments }: Winmail): (string | null)[] => attachments.map(({ fileName }) => fileName)
const codes = ({ defects }: Winmail): string[] => defects.map(({ code }) => code)

test('opens a message with attachments', () => {
  const octets = tnef(
    VERSION,
    codepage(1251),
    attribute(1, 0x00_01_80_04, Buffer.from('Short subject\0')),
    messageProperties(
      long(0x3fde, 28591),
      unicode(0x0037, 'Тема'),
      string8(0x1000, '\xcf\xf0\xe8\xe2\xe5\xf2'),
      binary(0x1013, Buffer.from('<p>sch\xf6n</p>', 'latin1')),
      binary(0x1009, Buffer.from('LZFu')),
    ),
    START,
    title('REPORT~1.PDF'),
    content(HELLO),
    attachmentProperties(
      unicode(0x3707, '../Отчёт.pdf'),
      string8(0x3704, 'REPORT~1.PDF'),
      string8(0x370e, 'Application/PDF'),
      string8(0x3712, '<image1@mail.test>'),
    ),
    START,
    title('\xf4\xe0\xe9\xeb.txt'),
    attachmentProperties(binary(0x3701, HELLO), string8(0x3001, 'shown')),
    START,
    attachmentProperties(string8(0x3001, 'shown')),
  )
  expect(openWinmail(octets)).toEqual({
    subject: 'Тема',
    text: 'Привет',
    html: '<p>schön</p>',
    compressedRtf: Buffer.from('LZFu'),
    attachments: [
      { fileName: '../Отчёт.pdf', safeFileName: 'Отчёт.pdf', type: 'application/pdf', contentId: 'image1@mail.test', content: HELLO, message: null },
      { fileName: 'файл.txt', safeFileName: 'файл.txt', type: 'application/octet-stream', contentId: null, content: HELLO, message: null },
      { fileName: 'shown', safeFileName: 'shown', type: 'application/octet-stream', contentId: null, content: Buffer.alloc(0), message: null },
    ],
    defects: [],
  })
})

test('opens a view in the middle of a buffer, and gives views of it', () => {
  const octets = tnef(START, title('a.txt'), content(HELLO))
  const around = Buffer.concat([Buffer.alloc(7), octets, Buffer.alloc(5)])
  const view = new Uint8Array(around.buffer, around.byteOffset + 7, octets.length)
  const [attachment] = openWinmail(view).attachments
  expect(attachment?.content).toEqual(HELLO)
  around.fill(0x41)
  expect(attachment?.content.toString()).toBe('A'.repeat(HELLO.length))
})

test('passes over what it does not need: named and multi-valued properties, every type of one length', () => {
  const guid = Buffer.alloc(16, 7)
  const named = Buffer.concat([
    u16(0x1e),
    u16(0x8005),
    guid,
    u32(1),
    u32(10),
    padded(Buffer.from('name1', 'utf16le')),
    u32(1),
    u32(3),
    padded(HELLO.subarray(0, 3)),
  ])
  const numbered = Buffer.concat([u16(0x0b), u16(0x8010), guid, u32(0), u32(0x8503), u32(1)])
  const fixed = [
    [0x02, 4],
    [0x04, 4],
    [0x05, 8],
    [0x06, 8],
    [0x07, 8],
    [0x0a, 4],
    [0x0b, 4],
    [0x14, 8],
    [0x40, 8],
    [0x48, 16],
  ].map(([type = 0, length = 0]) => Buffer.concat([u16(type), u16(0x6001), Buffer.alloc(length)]))
  const many = Buffer.concat([u16(0x1003), u16(0x6002), u32(3), u32(1), u32(2), u32(3)])
  const texts = variable(0x101f, 0x6003, Buffer.from('a', 'utf16le'), Buffer.from('bc', 'utf16le'))
  // A number where text belongs is no text.
  const opened = openWinmail(tnef(messageProperties(named, numbered, ...fixed, many, texts, long(0x0037, 65), unicode(0x1000, 'body'))))
  expect(opened).toMatchObject({ text: 'body', subject: null, defects: [] })
})

test('opens messages enclosed in messages, as deep as the limit says', () => {
  const inner = tnef(messageProperties(unicode(0x0037, 'inner')), START, title('deep.txt'), content(HELLO))
  const middle = tnef(START, attachmentProperties(unicode(0x3001, 'inner'), object(inner)))
  const octets = tnef(START, attachmentProperties(unicode(0x3001, 'middle'), object(middle)))
  const [attachment] = openWinmail(octets).attachments
  expect(attachment).toMatchObject({ fileName: 'middle', type: 'application/ms-tnef', content: middle })
  expect(attachment?.message?.attachments[0]?.message).toMatchObject({ subject: 'inner', attachments: [{ fileName: 'deep.txt', content: HELLO }] })

  const shallow = openWinmail(octets, { limits: { depth: 1 } }).attachments[0]?.message
  expect(shallow?.attachments[0]).toMatchObject({ content: inner, message: null })
  expect(shallow?.defects).toEqual([{ code: 'tnef-limit', offset: octets.indexOf(inner) }])
})

test('an object that is no message is content', () => {
  const [attachment] = openWinmail(tnef(START, attachmentProperties(object(HELLO)))).attachments
  expect(attachment).toMatchObject({ content: HELLO, message: null })
})

const NAMED_A = [START, title('a'), content(HELLO)]

test.each<[name: string, octets: Buffer, names: (string | null)[], defects: string[]]>([
  ['nothing', Buffer.alloc(0), [], ['tnef-signature']],
  ['something else', Buffer.from('%PDF-1.7 and so on'), [], ['tnef-signature']],
  ['a signature alone', tnef(), [], []],
  ['a wrong checksum', tnef(START, attribute(2, 0x00_01_80_10, Buffer.from('a\0'), 1)), ['a'], ['tnef-checksum']],
  ['a length past the end', tnef(...NAMED_A).subarray(0, -4), ['a'], ['tnef-truncated']],
  ['a length of 4 GiB', tnef(START, title('a'), Buffer.of(2), u32(0x00_06_80_0f), u32(0xffff_ffff)), ['a'], ['tnef-truncated']],
  ['zeros after the last attribute', tnef(...NAMED_A, Buffer.alloc(8)), ['a'], ['tnef-attribute']],
  ['an attachment without a start', tnef(title('a'), content(HELLO)), ['a'], []],
  ['content twice', tnef(...NAMED_A, content(HELLO)), ['a'], ['tnef-duplicate']],
  ['an unknown code page', tnef(codepage(4711), START, title('\xe4')), ['ä'], ['tnef-charset']],
  ['half a UTF-16 character', tnef(START, attachmentProperties(variable(0x1f, 0x3707, Buffer.from('a\0b')))), ['a\ufffd'], ['tnef-charset']],
  [
    'a property of no known type',
    tnef(START, title('a'), attachmentProperties(Buffer.from([0x0d, 0, 1, 0x37, 0, 0, 0, 0]), Buffer.alloc(40, 9))),
    ['a'],
    ['tnef-property'],
  ],
  [
    '2^32-1 properties',
    tnef(START, title('a'), attribute(2, 0x9005, Buffer.concat([u32(0xffff_ffff), string8(0x370e, 'a/b')]))),
    ['a'],
    ['tnef-truncated'],
  ],
  ['2^32-1 values', tnef(START, title('a'), attribute(2, 0x9005, Buffer.from('01000000031001600fffffff', 'hex'))), ['a'], ['tnef-truncated']],
  [
    '2^32-1 values of a string',
    tnef(START, title('a'), attribute(2, 0x9005, Buffer.from('010000001f100160ffffffff', 'hex'))),
    ['a'],
    ['tnef-truncated'],
  ],
  [
    'a value past the end of its block',
    tnef(START, title('a'), attribute(2, 0x9005, Buffer.from('010000000201013701000000ffffffff4142', 'hex'))),
    ['a'],
    ['tnef-truncated'],
  ],
  [
    'a name past the end of its block',
    tnef(START, title('a'), attribute(2, 0x9005, Buffer.concat([u32(1), u16(3), u16(0x8001), Buffer.alloc(16), u32(1), u32(0xffff_fffe)]))),
    ['a'],
    ['tnef-truncated'],
  ],
])('of %s, opens what is there and says what is wrong', (_name, octets, fileNames, defects) => {
  const opened = openWinmail(octets)
  expect(names(opened)).toEqual(fileNames)
  expect(codes(opened)).toEqual(defects)
})

test('content that is cut off is what there is of it (M14)', () => {
  const octets = tnef(START, title('a'), content(HELLO))
  expect(openWinmail(octets.subarray(0, -5)).attachments[0]?.content).toEqual(HELLO.subarray(0, -3))
})

test.each([
  ['attachments', { attachments: 1 }, ['a']],
  ['properties', { properties: 0 }, ['a', 'b']],
  ['bytes', { bytes: 2 }, ['a', null]],
])('stops at the limit of %s', (_name, limits, fileNames) => {
  const octets = tnef(START, title('a'), attachmentProperties(string8(0x370e, 'a/b')), START, title('b'))
  const opened = openWinmail(octets, { limits })
  expect(names(opened)).toEqual(fileNames)
  expect(codes(opened)).toContain('tnef-limit')
})

test.each([Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY])('refuses the limit %s', (limit) => {
  expect(() => openWinmail(tnef(), { limits: { depth: limit } })).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
})

const SAMPLE = tnef(
  codepage(1252),
  messageProperties(unicode(0x0037, 'subject'), long(0x3fde, 65001), binary(0x1013, HELLO)),
  START,
  title('a.txt'),
  content(HELLO),
  attachmentProperties(object(tnef(START, title('b'), content(HELLO))), string8(0x3712, '<c@d>')),
)

test('never throws, wherever the octets end', () => {
  for (let end = 0; end <= SAMPLE.length; end++) {
    const opened = openWinmail(SAMPLE.subarray(0, end))
    for (const { content: octets } of opened.attachments) expect(octets.length).toBeLessThanOrEqual(end)
  }
})

test('never throws, whatever octets are changed, and says where within them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: SAMPLE.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }), (changes) => {
      const octets = Buffer.from(SAMPLE)
      for (const [at, octet] of changes) octets[at] = octet
      for (const { offset } of openWinmail(octets).defects) expect(offset).toBeLessThanOrEqual(octets.length)
    }),
    { numRuns: 1000 },
  )
})

test('never throws for octets that follow a signature', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void openWinmail(tnef(Buffer.from(octets)))))
})

test.each<[name: string, make: (count: number) => Buffer]>([
  ['attributes', (count) => tnef(...Array.from({ length: count }, () => title('a')))],
  ['attachments', (count) => tnef(...Array.from({ length: count }, () => START))],
  ['values', (count) => tnef(messageProperties(variable(0x101e, 0x0037, ...Array.from({ length: count }, () => Buffer.alloc(0)))))],
  [
    'properties',
    (count) => tnef(attribute(1, 0x9003, Buffer.concat([u32(count), Buffer.concat(Array.from({ length: count }, () => long(0x6001, 1)))]))),
  ],
])('many %s take linear time', (_name, make) => {
  const limits = { attachments: 1_000_000, properties: 1_000_000 }
  const run = (octets: string): unknown => openWinmail(Buffer.from(octets, 'latin1'), { limits })
  expect(growth(run, (count) => make(count).toString('latin1'), 20_000)).toSatisfy(isLinear)
})
