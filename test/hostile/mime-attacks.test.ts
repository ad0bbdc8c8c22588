import { expect, test } from 'vitest'
import { parseMessage, type Entity } from '../../src/mime/index.ts'
import { parsed, streamed } from '../support/read-whole.ts'

// Attacks on readers of mail, by number: what one reader lets pass and another one acts on. Each is read the same way whole and octet by octet.

const message = (...lines: string[]): string => lines.join('\r\n')
const multipart = (...lines: string[]): string => message('Content-Type: multipart/mixed; boundary=b', '', ...lines)
const parse = (text: string): Entity => parseMessage(Buffer.from(text, 'latin1'))
const contents = (entity: Entity): string[] => (entity.parts.length > 0 ? entity.parts.flatMap(contents) : [entity.content().toString('latin1')])
const codes = (entity: Entity): string[] => {
  void entity.ambiguous
  return [...entity.defects.map(({ code }) => code), ...entity.parts.flatMap(codes)]
}

test.each<[string, string, (root: Entity) => unknown, unknown, string[]?]>([
  ['M1 two Content-Type', message('Content-Type: text/html', 'Content-Type: text/plain', '', ''), (m) => m.type, 'text/html', ['duplicate-field']],
  [
    'M1 two encodings',
    message('Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: 7bit', '', 'aGk='),
    contents,
    ['hi'],
    ['duplicate-field'],
  ],
  ['M1 a list of encodings', message('Content-Transfer-Encoding: base64, 7bit', '', 'aGk='), contents, ['aGk='], ['unknown-encoding']],
  ['M2 two From', message('From: a@x', 'From: b@y', '', ''), (m) => m.header.addresses('From'), [{ name: '', address: 'a@x' }], ['duplicate-field']],
  ['M2 two in From', message('From: <a@x>, <b@y>', '', ''), (m) => m.header.addresses('From').length, 2],
  ['M2 a blank first', message(' From: a@x', 'From: b@y', '', ''), (m) => m.header.value('From'), 'b@y', ['continuation-first']],
  ['M3 NUL in a name', message('\0From: a@x', '', ''), (m) => m.header.value('From'), 'a@x', ['nul-octet']],
  ['M3 no name', message('A: b', ': v', 'C: d', '', 'x'), (m) => [m.header.value('C'), ...contents(m)], ['d', 'x'], ['field-name-invalid']],
  ['M3 a line of blanks before the body', message('A: b', ' \t', 'C: d', '', 'x'), (m) => m.header.value('C'), 'd', ['blank-line-in-header']],
  ['M4 CR alone', 'A: b\rC: d\r\n\r\nx', (m) => [m.header.value('A'), m.header.value('C')], ['b C: d', undefined], ['bare-cr']],
  ['M4 CR CR LF', 'A: b\r\r\n\r\nx', contents, ['x'], ['bare-cr']],
  ['M4 LF CR', 'A: b\n\rC: d\n\nx', contents, ['x']],
  ['M5 a folded value', message('Content-Transfer-Encoding:', ' base', ' 64', '', 'aGk='), contents, ['aGk='], ['unknown-encoding']],
  ['M5 an empty line ends it', message('Content-Type:', '', ' text/html', ''), (m) => m.type, 'text/plain', ['invalid-content-type']],
  [
    'M6 boundary twice',
    message('Content-Type: multipart/mixed; boundary=a; boundary=b', '', '--a', '', 'x', '--b', '', 'y', '--a--'),
    contents,
    ['x\r\n--b\r\n\r\ny'],
    ['duplicate-parameter'],
  ],
  ['M6 boundary in pieces', message('Content-Type: multipart/mixed; boundary*1=b; boundary*0=a', '', '--ab', '', 'x', '--ab--'), contents, ['x']],
  [
    'M6 an empty boundary',
    message('Content-Type: multipart/mixed; boundary=""', '', '--', '', 'x'),
    contents,
    ['--\r\n\r\nx'],
    ['missing-boundary-parameter'],
  ],
  [
    'M7 junk behind a delimiter',
    multipart('--b', '', 'x', '--bX', '--b-', '--b--y', ' --b', '--b--'),
    contents,
    ['x\r\n--bX\r\n--b-\r\n--b--y\r\n --b'],
    ['near-boundary'],
  ],
  [
    'M7 parts outside',
    multipart('Content-Type: text/html', '', 'x', '--b', '', 'y', '--b--', '--b', '', 'z'),
    contents,
    ['y'],
    ['content-after-close'],
  ],
  [
    'M8 an inner multipart with the outer boundary',
    multipart('--b', 'Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'x', '--b--', '--b', '', 'y', '--b--'),
    contents,
    ['x', 'y'],
    ['duplicate-boundary'],
  ],
  [
    'M8 a boundary that begins like another',
    multipart('--b', 'Content-Type: multipart/mixed; boundary=bb', '', '--bb', '', 'x', '--bb--', '--b', '', 'y', '--b--'),
    contents,
    ['x', 'y'],
  ],
  ['M9 two padded texts', message('Content-Transfer-Encoding: base64', '', 'YQ==', 'Yg=='), contents, ['ab'], ['base64-after-padding']],
  ['M9 blanks and dots', message('Content-Transfer-Encoding: base64', '', 'a.G k=', ''), contents, ['hi'], ['base64-junk']],
  [
    'M10 broken quoted-printable',
    message('Content-Transfer-Encoding: quoted-printable', '', '=G1=3d=', '=0'),
    contents,
    ['=G1==0'],
    ['quoted-printable-invalid'],
  ],
  [
    'M11 an encoded multipart',
    message('Content-Transfer-Encoding: base64', multipart('--b', '', 'x', '--b--')),
    contents,
    ['x'],
    ['encoded-multipart'],
  ],
  ['M12 a type of three', message('Content-Type: text/html/x', '', ''), (m) => m.type, 'text/html'],
  ['M12 half a type', message('Content-Type: text', '', ''), (m) => m.type, 'text/plain', ['invalid-content-type']],
  [
    'M13 four names',
    message("Content-Type: a/b; name=n1; name*=us-ascii''n2", "Content-Disposition: attachment; filename=f1; filename*=us-ascii''f2", '', ''),
    (m) => m.fileName,
    'f2',
    ['parameter-conflict'],
  ],
  [
    'M14 an external body',
    message('Content-Type: message/external-body; access-type=local-file; name="/etc/passwd"', '', 'A: b'),
    contents,
    ['A: b'],
  ],
  ['M14 half a message', message('Content-Type: message/partial; number=1; total=2; id=a', '', 'Subject: x', '', 'y'), (m) => m.parts.length, 0],
  ['M32 nothing', '', contents, [''], ['empty-header']],
  ['M32 CR', '\r', contents, ['\r'], ['empty-header']],
  ['M32 two hyphens', '--', contents, ['--'], ['empty-header']],
  ['M42 odd UTF-16', message('Content-Type: text/plain; charset=utf-16le', '', 'a\0b'), (m) => m.text(), 'a\ufffd', ['invalid-charset-octets']],
  ['M43 windows-1252 as Latin-1', message('Content-Type: text/plain; charset=iso-8859-1', '', '\x80'), (m) => m.text(), '\u20ac'],
  ['M43 UTF-8 as ASCII', message('Content-Type: text/plain; charset=us-ascii', '', '\xc3\xa9'), (m) => m.text(), '\u00e9'],
  [
    'M45 pieces out of order',
    message("Content-Disposition: attachment; filename*1=/../x; filename*0*=x''..", '', ''),
    (m) => [m.fileName, m.safeFileName],
    ['../../x', 'x'],
  ],
  [
    'M46 __proto__',
    message('__proto__: a', 'constructor: b', '', ''),
    (m) => [m.header.value('__proto__'), m.header.value('toString')],
    ['a', undefined],
  ],
  [
    'M48 bidi in a name',
    message('From: "\xe2\x80\xaeceo@corp" <x@evil>', '', ''),
    (m) => m.header.addresses('From'),
    [{ name: '\u202eceo@corp', address: 'x@evil' }],
  ],
  ['M49 a date of many digits', message(`Date: 1 Jan ${'9'.repeat(1000)} 00:00:00 +0000`, '', ''), (m) => m.header.date(), null, ['invalid-date']],
  ['M49 an offset beyond the day', message('Date: 1 Jan 2026 00:00:00 +9999', '', ''), (m) => m.header.date(), null, ['invalid-date']],
])('%s', async (_name, text, see, expected, defects = []) => {
  const root = parse(text)
  expect(see(root)).toEqual(expected)
  expect(codes(root)).toEqual(expect.arrayContaining(defects))
  const octets = Buffer.from(text, 'latin1')
  expect(await streamed(octets, () => 1)).toEqual(parsed(octets))
})

test('M40 charsets that only some readers know are read or named', () => {
  for (const charset of ['utf-32', 'iso-2022-kr', 'iso-2022-cn', 'hz-gb-2312', 'cp437', 'cp850', 'viscii', 'utf-7', 'utf-8; x=y']) {
    const root = parse(message(`Content-Type: text/plain; charset="${charset}"`, '', charset === 'utf-32' ? '\0\0\0a' : 'a'))
    expect([charset, root.text(), codes(root)]).toEqual([charset, 'a', []])
  }
  expect(codes(parse(message('Content-Type: text/plain; charset=x-unknown', '', '\xff')))).toContain('unknown-charset')
})

test('M41 a shift of one part does not reach the next', () => {
  const part = message('Content-Type: text/plain; charset=iso-2022-jp', '', '\x1b$B<script>')
  const root = parse(multipart('--b', part, '--b', 'Content-Type: text/plain; charset=iso-2022-jp', '', '<script>', '--b--'))
  expect(root.parts[1]?.text()).toBe('<script>')
})
