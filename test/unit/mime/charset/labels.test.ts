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
  ['x-windows-949', 'euc-kr'],
  ['x-IBM943', 'shift_jis'],
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

test.each([
  ['csISO2022KR', 'iso-2022-kr'],
  ['ISO-2022-CN-EXT', 'iso-2022-cn'],
  ['HZ-GB-2312', 'hz-gb-2312'],
  ['csVISCII', 'viscii'],
  ['Big5-HKSCS', 'big5'],
  ['csIBM855', 'cp855'],
  ['cspc862latinhebrew', 'cp862'],
  ['csPC775Baltic', 'cp775'],
  ['roman8', 'hp-roman8'],
  ['csKOI8R', 'koi8-r'],
  ['csPTCP154', 'ptcp154'],
  ['STRK1048-2002', 'kz1048'],
  ['ebcdic-cp-us', 'ibm037'],
  ['csUCS4', 'utf-32'],
  ['csUTF16BE', 'utf-16be'],
  ['csWindows1252', 'windows-1252'],
  ['ISO_8859-9:1989', 'windows-1254'],
  ['ISO-8859-8-E', 'iso-8859-8'],
  ['ANSI_X3.4-1968', 'us-ascii'],
  ['Extended_UNIX_Code_Packed_Format_for_Japanese', 'euc-jp'],
])('knows %s of IANA', (label, charset) => {
  expect(charsetOf(label)).toBe(charset)
})

test.each([
  ['cp28592', 'iso-8859-2'],
  ['windows-28605', 'iso-8859-15'],
  ['CP20127', 'us-ascii'],
  ['cp50221', 'iso-2022-jp'],
  ['x-cp50225', 'iso-2022-kr'],
  ['x-cp20936', 'gb18030'],
  ['x-mac-ce', 'mac-centraleurope'],
  ['x-mac-greek', 'mac-greek'],
  ['x-mac-japanese', 'shift_jis'],
  ['DOS-862', 'cp862'],
  ['cp1200', 'utf-16'],
  ['cp12001', 'utf-32be'],
  ['ms936', 'gb18030'],
  ['x-Chinese-CNS', 'euc-tw'],
])('knows %s of Microsoft', (label, charset) => {
  expect(charsetOf(label)).toBe(charset)
})
