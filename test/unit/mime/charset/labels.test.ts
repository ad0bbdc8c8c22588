import { expect, test } from 'vitest'
import { charsetOf } from '../../../../src/mime/charset/labels.ts'

test.each([
  ['utf-8', 'utf-8'],
  ['UTF-8', 'utf-8'],
  ['utf8', 'utf-8'],
  ['"utf-8"', 'utf-8'],
  ["'utf-8'", 'utf-8'],
  ['"utf-8', 'utf-8'],
  ['utf-8;', 'utf-8'],
  ['utf-8; x=y', 'utf-8'],
  ['3Dutf-8', 'utf-8'], // quoted-printable half removed
  ['3D"utf-8"', 'utf-8'],
  ['x-unicode20utf8', 'utf-8'],
  ['ISO_8859-1:1987', 'windows-1252'],
  ['iso8859-1', 'windows-1252'],
  ['csISOLatin1', 'windows-1252'],
  ['x-cp1250', 'windows-1250'],
  ['windows1252', 'windows-1252'],
  ['cp-850', 'cp850'],
  ['csPC8CodePage437', 'cp437'],
  ['TIS-620', 'windows-874'],
  ['x-gbk', 'gb18030'],
  ['GB2312', 'gb18030'],
  ['csBig5', 'big5'],
  ['x-sjis', 'shift_jis'],
  ['Windows-31J', 'shift_jis'],
  ['ks_c_5601-1987', 'euc-kr'],
  ['csUnicode11UTF7', 'utf-7'],
  ['ISO-10646-UCS-2', 'utf-16'],
  ['x-unknown', undefined],
  ['', undefined],
  ['__proto__', undefined],
  ['constructor', undefined],
  ['toString', undefined],
  ['u'.repeat(1_000_000), undefined],
])('%s', (label, charset) => {
  expect(charsetOf(label)).toBe(charset)
})

test.each([
  ['unicode-1-1-utf-8', 'utf-8'],
  ['866', 'ibm866'],
  ['iso-ir-101', 'iso-8859-2'],
  ['ecma-114', 'iso-8859-6'],
  ['sun_eu_greek', 'iso-8859-7'],
  ['logical', 'iso-8859-8'],
  ['csisolatin9', 'iso-8859-15'],
  ['koi', 'koi8-r'],
  ['koi8-ru', 'koi8-u'],
  ['x-mac-roman', 'macintosh'],
  ['x-mac-ukrainian', 'x-mac-cyrillic'],
  ['dos-874', 'windows-874'],
  ['iso-8859-9', 'windows-1254'],
  ['csgb2312', 'gb18030'],
  ['x-x-big5', 'big5'],
  ['x-euc-jp', 'euc-jp'],
  ['cseucpkdfmtjapanese', 'euc-jp'],
  ['csiso2022jp', 'iso-2022-jp'],
  ['csksc56011987', 'euc-kr'],
  ['unicodefffe', 'utf-16be'],
])('knows %s of the Encoding Standard', (label, charset) => {
  expect(charsetOf(label)).toBe(charset)
})
