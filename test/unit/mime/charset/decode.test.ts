import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CharsetDecoder, decodeText } from '../../../../src/mime/charset/decode.ts'
import { everySplit } from '../../../support/every-split.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, reports } from '../../../support/reports.ts'

const hex = (octets: string): string => Buffer.from(octets, 'latin1').toString('hex')

const CASES: [charset: string | null, octets: string, text: string, codes?: string[]][] = [
  [null, '6162', 'ab'],
  [null, 'c3a9', 'é'],
  [null, 'e9', 'é'], // no label and not UTF-8: windows-1252
  [null, '80', '€'],
  ['us-ascii', 'c5be6c7574', 'žlut'],
  ['us-ascii', '93e994', '“é”'],
  ['x-nope', 'e9', 'é', ['unknown-charset']],
  ['x-nope', 'c3a9', 'é', ['unknown-charset']],
  ['x-nope', '61', 'a', ['unknown-charset']],
  ['utf-8', 'efbbbf61', 'a'],
  ['utf-8', '61efbbbf', 'a\ufeff'],
  ['UTF8', 'f09f9880', '😀'],
  ['utf-8', '61e9', 'a\ufffd', ['invalid-charset-octets']],
  ['utf-8', 'c0af', '\ufffd\ufffd', ['invalid-charset-octets']], // overlong
  ['utf-8', 'eda080', '\ufffd\ufffd\ufffd', ['invalid-charset-octets']],
  ['iso-8859-1', '80a4e9', '€¤é'],
  ['windows-1252', '818d8f90', '\x81\x8d\x8f\x90'],
  ['latin1', '999f', '™Ÿ'],
  ['iso-8859-2', 'b1e6', 'ąć'],
  ['iso-8859-15', 'a4', '€'],
  ['iso-8859-16', 'aa', 'Ș'],
  ['iso-8859-8-i', 'e0', '\u05d0'],
  ['windows-874', 'db', '\ufffd', ['invalid-charset-octets']],
  ['ibm866', '1a1c7f80', '\x1a\x1c\x7fА'],
  ['koi8-u', 'ae', 'ў'],
  ['cp437', '819c', 'ü£'],
  ['cp-850', '81d5', 'üı'],
  ['cp858', 'd5', '€'],
  ['gb2312', 'c4e3bac3', '你好'],
  ['gbk', '8130813061', '\u0080a'],
  ['gb18030', '81308130', '\u0080'],
  ['gb18030', '8135f4378135f438', '\ue7c7Ṁ'], // four octets on both sides of an exception
  ['gb18030', '90308130e3329a35', '\u{10000}\u{10ffff}'],
  ['gb18030', 'e3329a368431a530', '\ufffd\ufffd', ['invalid-charset-octets']], // beyond Unicode, and in a gap
  ['gb18030', 'a6d9fe59a8bc80a1a1', '︐龴ḿ€　'], // the edition of 2022, and the euro of code page 936
  ['gb18030', '813081c4e3', '\ufffd0\u4f33\ufffd', ['invalid-charset-octets']],
  ['big5', 'a7da', '我'],
  ['big5-hkscs', '8862fa408740a3c0f9fe', 'Ê\u0304𠕇䏰␀￭'],
  ['cp950', 'a43c62723e', '\ufffd<br>', ['invalid-charset-octets']], // a lone lead octet does not swallow mark-up
  ['big5', '8140ff', '\ufffd@\ufffd', ['invalid-charset-octets']],
  ['euc-jp', 'c6fccbdc', '日本'],
  ['euc-jp', '8eb18fb0a1ade2', 'ｱ丂№'],
  ['euc-jp', '8fb041a43c', '\ufffdA\ufffd<', ['invalid-charset-octets']],
  ['euc-jp', '808fa1a1a4a2', '\ufffd\ufffdあ', ['invalid-charset-octets']],
  ['cp932', '93fa967b1a1c7f', '日本\x1a\x1c\x7f'],
  ['shift_jis', '835c955c8740fa54b1f040', 'ソ表①￢ｱ\ue000'],
  ['shift_jis', '81208140a0fd81', '\ufffd \u3000\ufffd\ufffd\ufffd', ['invalid-charset-octets']],
  ['iso-2022-jp', '1b2442467c4b5c1b284261', '日本a'],
  ['iso-2022-jp', hex('\x1b$B-!\x1b(J\\~\x1b(I1\x1b(B'), '①¥‾ｱ'], // vendor characters, JIS X 0201
  ['iso-2022-jp-1', hex('\x1b$(D0!\x1b$@F|'), '丂日'],
  ['iso-2022-jp-2', hex('\x1b$A0!\x1b$(C0!\x1b.AA\x1bNi\x1b.F\x1bNa\x1b(B.'), '啊가\ufffdéα.', ['invalid-charset-octets']],
  ['csISO2022JP', hex('\x1b&@\x1b$BF|\n<\x1b(B<\x1b[x\x0e1\x0f1\xb1'), '日\n\ufffd<\ufffd[xｱ1ｱ', ['invalid-charset-octets']],
  ['iso-2022-jp', hex('a\x1b$'), 'a\ufffd$', ['invalid-charset-octets']],
  ['iso-2022-kr', hex('\x1b$)C\x0e0!\x0f a\n\x0e0!\nb\xb0\xa1'), '가 a\n가\nb가'],
  ['iso-2022-kr', hex('\x0e0!0'), '가\ufffd', ['invalid-charset-octets']],
  ['iso-2022-cn', hex('\x1b$)A\x0e0!\x1b$)GD!\x1b$*H\x1bN!!D!\x0f!'), '啊一乂一!'],
  ['hz-gb-2312', hex('a~~b~{0!~}~\nc~{0!\n0!~x'), 'a~b啊c啊\n0!~x'],
  ['euc-tw', 'c4a18ea2a1a18ea1c4a1', '一乂一'],
  ['euc-tw', '8ea3a1a18ea2', '\ufffd\ufffd', ['invalid-charset-octets']],
  ['viscii', hex('Ti\xaang Vi\xaet \x02'), 'Tiếng Việt Ẳ'],
  ['cp737', '8081', 'ΑΒ'],
  ['mac-turkish', 'dadb', 'Ğğ'],
  ['koi8-t', '80', 'қ'],
  ['armscii-8', 'b2', 'Ա'],
  ['IBM037', 'c881936b40e6', 'Hal, W'],
  ['x-user-defined', '80', '\uf780'],
  ['euc-kr', 'b0a1', '가'],
  ['ks_c_5601-1987', '8141', '갂'], // a syllable of UHC only
  ['cp949', 'c652a2e6', '힣€'],
  ['euc-kr', 'b041ff', '캚\ufffd', ['invalid-charset-octets']],
  ['euc-kr', 'c6fe20c7', '퐁 \ufffd', ['invalid-charset-octets']],
  ['euc-kr', 'b020', '\ufffd ', ['invalid-charset-octets']],
  ['utf-7', Buffer.from('+AX4-lu+AWU- +ADw-b+AD4- 1+-1 +2D3eAA-').toString('hex'), 'žluť <b> 1+1 😀'],
  ['utf-7', Buffer.from('+2D0- +3gA- +').toString('hex'), '\ufffd \ufffd +', ['invalid-charset-octets']],
  ['utf-16', 'fffe68006900', 'hi'],
  ['utf-16', 'feff00680069', 'hi'],
  ['utf-16', '00680069', 'hi'],
  ['utf-16', '68006900', 'hi'],
  ['utf-16be', '0068d83dde00', 'h😀'],
  ['utf-16be', 'fffe6800', 'h'], // the mark wins over the label
  ['utf-16le', '6800d8', 'h\ufffd', ['invalid-charset-octets']],
  ['utf-16le', '68', '\ufffd', ['invalid-charset-octets']],
  ['utf-16', 'fffe3dd83dd800de00', '\ufffd😀\ufffd', ['invalid-charset-octets']],
  ['utf-16be', 'de000061', '\ufffda', ['invalid-charset-octets']],
  ['utf-16', '', ''],
  ['utf-32', '0000feff00000061', 'a'],
  ['utf-32', '61000000', 'a'],
  ['utf-32', 'fffe0000610000000000', 'a\ufffd', ['invalid-charset-octets']],
  ['utf-32le', '00f60100', '😀'],
  ['utf-32be', '0000d800ffffffff', '\ufffd\ufffd', ['invalid-charset-octets']],
]

test.each(CASES)('decodes %s %s', (charset, octets, text, codes = []) => {
  const seen = reports()
  expect(decodeText(Buffer.from(octets, 'hex'), charset, seen.report)).toBe(text)
  expect(seen.codes).toEqual(codes)
})

function decodeChunks(chunks: readonly Buffer[], charset: string | null): { text: string; codes: string[] } {
  const seen = reports()
  const decoder = new CharsetDecoder(charset)
  let text = ''
  for (const chunk of chunks) {
    text += decoder.decode(chunk, seen.report)
    chunk.fill(0x7e) // chunks are borrowed
  }
  return { text: text + decoder.end(seen.report), codes: seen.codes }
}

test.each(CASES)('decodes %s %s however it is chunked', (charset, octets, text, codes = []) => {
  for (const chunks of everySplit(Buffer.from(octets, 'hex'))) expect(decodeChunks(chunks, charset)).toEqual({ text, codes })
})

test('arbitrary octets of any charset decode alike in one piece and in three', () => {
  const labels = [
    null,
    'us-ascii',
    'x-nope',
    'utf-8',
    'utf-7',
    'utf-16',
    'utf-32',
    'windows-1252',
    'viscii',
    'gb18030',
    'big5',
    'shift_jis',
    'euc-jp',
    'euc-kr',
    'euc-tw',
  ]
  const octet = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...Buffer.from('\x1b$()*ABCIJ@N.~{}\x0e\x0f\n0+-!')))
  fc.assert(
    fc.property(
      fc.constantFrom(...labels, 'iso-2022-jp', 'iso-2022-kr', 'iso-2022-cn', 'hz'),
      fc.array(octet),
      fc.nat(),
      fc.nat(),
      (label, octets, a, b) => {
        const whole = Buffer.from(octets)
        const [first = 0, second = 0] = [a % (whole.length + 1), b % (whole.length + 1)].toSorted((x, y) => x - y)
        const seen = reports()
        const text = decodeText(whole, label, seen.report)
        const chunks = [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)].map((chunk) => Buffer.from(chunk))
        expect(decodeChunks(chunks, label)).toEqual({ text, codes: seen.codes })
      },
    ),
    { numRuns: 2000 },
  )
})

const HELD = 64 * 1024

test.each([
  ['not UTF-8 while it is held', Buffer.concat([Buffer.alloc(HELD, 'a'), Buffer.alloc(HELD - 1, 'é'), Buffer.of(0xe9)]), 'equal', []],
  ['UTF-8 to the end', Buffer.concat([Buffer.alloc(HELD - 1, 'a'), Buffer.alloc(2 * HELD, 'é'), Buffer.from('\ufffd')]), 'equal', []],
  [
    'UTF-8 and then not',
    Buffer.concat([Buffer.alloc(HELD, 'é'), Buffer.of(0xe9, 0x61)]),
    `${'é'.repeat(HELD / 2)}\ufffda`,
    ['invalid-charset-octets'],
  ],
])('finds out whether it is UTF-8 from the first 64 KiB that are not ASCII: %s', (_name, octets, expected, codes) => {
  const text = expected === 'equal' ? decodeText(octets, null, ignore) : expected
  for (const size of [1, 7, 4096, octets.length]) {
    const chunks = Array.from({ length: Math.ceil(octets.length / size) }, (_, at) => Buffer.from(octets.subarray(at * size, (at + 1) * size)))
    const seen = decodeChunks(chunks, null)
    expect(seen.text === text).toBe(true)
    expect(seen.codes).toEqual(codes)
  }
})

test('state ends with the text: an escape sequence left open changes nothing elsewhere (M41)', () => {
  const open = Buffer.from('\x1b$B')
  expect(decodeText(open, 'iso-2022-jp', ignore)).toBe('')
  expect(decodeText(Buffer.from('<script>'), 'iso-2022-jp', ignore)).toBe('<script>')
})

test.each(['\x1b', '\x1b$(', '\x1b(B', '~', '~{', '+', '\x81', '\x81\x30', '\x8f\xa1', '\xd8'])('time is linear for many of %j', (piece) => {
  for (const label of ['iso-2022-jp', 'hz', 'utf-7', 'gb18030', 'euc-jp', 'utf-16be', null]) {
    const run = (octets: string): string => decodeText(Buffer.from(octets, 'latin1'), label, ignore)
    expect(isLinear(growth(run, (count) => piece.repeat(count), 20_000))).toBe(true)
  }
})

test('a byte order mark after ASCII is a character', () => {
  for (const charset of ['utf-8', null]) expect(decodeText(Buffer.from('a\ufeffb'), charset, ignore)).toBe('a\ufeffb')
})
