/** Each charset with the labels that mail uses for it: WHATWG's, IANA's and Microsoft's, written as `labelKey` writes them. */
const LABELS = {
  'us-ascii': 'usascii ascii us ansix34 ansix341968 ansix341986 iso646us iso646irv1991 isoir6 cp367 ibm367 20127',
  'utf-8': 'utf8 unicode11utf8 unicode20utf8 utf8mb4 cp65001 65001',
  'windows-1252':
    'windows1252 cp1252 win1252 1252 ansi iso88591 iso885911987 isoir100 latin1 l1 cp819 ibm819 819 28591 cp28591 windows28591 westerneuropean',
  'windows-1250': 'windows1250 cp1250 win1250 1250',
  'windows-1251': 'windows1251 cp1251 win1251 1251',
  'windows-1253': 'windows1253 cp1253 win1253 1253',
  'windows-1254': 'windows1254 cp1254 win1254 1254 iso88599 iso885991989 isoir148 latin5 l5',
  'windows-1255': 'windows1255 cp1255 win1255 1255',
  'windows-1256': 'windows1256 cp1256 win1256 1256',
  'windows-1257': 'windows1257 cp1257 win1257 1257',
  'windows-1258': 'windows1258 cp1258 win1258 1258',
  'windows-874': 'windows874 cp874 ms874 dos874 874 tis620 tis6202533 iso885911 iso8859112001',
  'iso-8859-2': 'iso88592 iso885921987 isoir101 latin2 l2',
  'iso-8859-3': 'iso88593 iso885931988 isoir109 latin3 l3',
  'iso-8859-4': 'iso88594 iso885941988 isoir110 latin4 l4',
  'iso-8859-5': 'iso88595 iso885951988 isoir144 cyrillic',
  'iso-8859-6': 'iso88596 iso88596e iso88596i iso885961987 isoir127 arabic asmo708 ecma114',
  'iso-8859-7': 'iso88597 iso885971987 iso885972003 isoir126 greek greek8 ecma118 elot928 suneugreek',
  'iso-8859-8': 'iso88598 iso88598e iso88598i iso885981988 isoir138 hebrew visual logical',
  'iso-8859-10': 'iso885910 iso8859101992 isoir157 latin6 l6',
  'iso-8859-13': 'iso885913 latin7 l7',
  'iso-8859-14': 'iso885914 iso8859141998 isoir199 latin8 l8 isoceltic',
  'iso-8859-15': 'iso885915 isoir203 latin9 l9 latin0',
  'iso-8859-16': 'iso885916 iso8859162001 isoir226 latin10 l10',
  'koi8-r': 'koi8r koi8 koi cp20866',
  'koi8-u': 'koi8u koi8ru cp21866',
  macintosh: 'macintosh mac macroman',
  'x-mac-cyrillic': 'maccyrillic macukrainian',
  ibm866: 'ibm866 cp866 866',
  cp437: 'cp437 ibm437 437 pc8codepage437 dos437',
  cp850: 'cp850 ibm850 850 pc850multilingual dos850',
  cp852: 'cp852 ibm852 852 pcp852 dos852',
  cp858: 'cp858 ibm858 858 ibm00858 ccsid00858 cp00858 pcmultilingual850euro',
  // GBK and GB 2312 lie within GB 18030; Node's own gbk gives private characters for 81 codes.
  gb18030: 'gb18030 gb180302000 gbk gb2312 gb23121980 gb231280 iso58gb231280 isoir58 chinese euccn cp936 ms936 windows936 936 cp54936',
  big5: 'big5 big5hkscs cnbig5 xxbig5 big5eten cp950 ms950 windows950 950',
  'euc-jp': 'eucjp eucpkdfmtjapanese ujis cp51932',
  shift_jis: 'shiftjis sjis mskanji windows31j ms932 cp932 windows932 932 cp943 ibm943 sjisdocomo',
  'iso-2022-jp': 'iso2022jp iso2022jpms cp50220 cp50221 cp50222',
  'euc-kr': 'euckr korean ksc5601 ksc56011987 ksc56011989 ksx1001 isoir149 windows949 cp949 ms949 949 uhc',
  'utf-7': 'utf7 unicode11utf7 unicode20utf7 cp65000 65000',
  'utf-16': 'utf16 ucs2 iso10646ucs2 unicode unicodefeff cp1200',
  'utf-16le': 'utf16le ucs2le cp1202',
  'utf-16be': 'utf16be ucs2be unicodefffe cp1201',
  'utf-32': 'utf32 ucs4 iso10646ucs4',
  'utf-32le': 'utf32le ucs4le',
  'utf-32be': 'utf32be ucs4be',
} as const satisfies Record<string, string>

export type Charset = keyof typeof LABELS

const CHARSETS = Object.keys(LABELS).filter((name): name is Charset => Object.hasOwn(LABELS, name))

const MAX_LABEL = 80 // no label of any registry is longer; what is longer is not worth a look

let byLabel: Map<string, Charset> | undefined

/**
 * The charset that a label means, or `undefined` when nobody knows. Case, punctuation, quotes, a left-over `3D` of a half decoded
 * quoted-printable text and whatever follows a `;` do not count, because real mail has them all.
 */
export function charsetOf(label: string): Charset | undefined {
  byLabel ??= labelMap()
  // The two roads: a label as everybody writes it, and one that needs cleaning.
  const exact = byLabel.get(label)
  if (exact !== undefined || label.length > MAX_LABEL) return exact
  const key = labelKey(label)
  for (const prefix of PREFIXES) {
    const charset = key.startsWith(prefix) ? byLabel.get(key.slice(prefix.length)) : undefined
    if (charset !== undefined) return charset
  }
  return undefined
}

/** `csISOLatin1` and `csISOLatinGreek` are IANA's, `x-` is everybody's, `3D` is what is left of a `=`. */
const PREFIXES = ['', 'x', 'cs', 'csiso', 'csisolatin', '3d']

function labelMap(): Map<string, Charset> {
  const map = new Map<string, Charset>()
  for (const charset of CHARSETS) {
    map.set(charset, charset).set(charset.toUpperCase(), charset)
    for (const label of LABELS[charset].split(' ')) map.set(label, charset)
  }
  return map.set('iso-8859-1', 'windows-1252').set('ISO-8859-1', 'windows-1252').set('gb2312', 'gb18030').set('GB2312', 'gb18030')
}

function labelKey(label: string): string {
  const end = label.indexOf(';')
  return (end < 0 ? label : label.slice(0, end)).toLowerCase().replace(/[^a-z0-9]/g, '')
}
