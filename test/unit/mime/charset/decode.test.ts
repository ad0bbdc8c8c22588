import { expect, test } from 'vitest'
import { decodeText } from '../../../../src/mime/charset/decode.ts'
import { ignore, reports } from '../../../support/reports.ts'

const CASES: [charset: string | null, hex: string, text: string, codes?: string[]][] = [
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
  ['big5', 'a7da', '我'],
  ['euc-jp', 'c6fccbdc', '日本'],
  ['cp932', '93fa967b1a1c7f', '日本\x1a\x1c\x7f'],
  ['iso-2022-jp', '1b2442467c4b5c1b284261', '日本a'],
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
  ['utf-32', '0000feff00000061', 'a'],
  ['utf-32', 'fffe0000610000000000', 'a\ufffd', ['invalid-charset-octets']],
  ['utf-32le', '00f60100', '😀'],
  ['utf-32be', '0000d800ffffffff', '\ufffd\ufffd', ['invalid-charset-octets']],
]

test.each(CASES)('decodes %s %s', (charset, hex, text, codes = []) => {
  const seen = reports()
  expect(decodeText(Buffer.from(hex, 'hex'), charset, seen.report)).toBe(text)
  expect(seen.codes).toEqual(codes)
})

test('a byte order mark after ASCII is a character', () => {
  for (const charset of ['utf-8', null]) expect(decodeText(Buffer.from('a\ufeffb'), charset, ignore)).toBe('a\ufeffb')
})
