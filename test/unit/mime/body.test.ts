import { expect, test } from 'vitest'
import { BodyFinder, htmlText, isAttachment, plainText } from '../../../src/mime/body.ts'
import { parseMessage, readMessage, selectBody, type Entity } from '../../../src/mime/index.ts'

type Tree = string | readonly Tree[]

function section(entity: Entity): string {
  return entity.section
}

/** A leaf is its header lines, divided by `|`; a multipart its subtype and parts. */
function compose(tree: Tree, depth = 0): string {
  if (typeof tree === 'string') return `${tree.replaceAll('|', '\r\n')}\r\n\r\nx`
  const [type, ...parts] = tree
  const inside = parts.map((part) => `--b${depth}\r\n${compose(part, depth + 1)}\r\n`).join('')
  return `Content-Type: multipart/${String(type)}; boundary=b${depth}\r\n\r\n${inside}--b${depth}--`
}

const TEXT = 'Content-Type: text/plain'
const HTML = 'Content-Type: text/html'
const FILE = 'Content-Type: application/pdf|Content-Disposition: attachment; filename=a.pdf'
const NAMED_TEXT = 'Content-Type: text/plain; name=a.txt'
const MARKED_TEXT = 'Content-Type: text/plain|Content-Disposition: attachment'
const IMAGE = 'Content-Type: image/png|Content-ID: <i@x>'
const INLINE_FILE = 'Content-Type: application/pdf|Content-Disposition: inline'
const MESSAGE = 'Content-Type: message/rfc822||Subject: in'
const CALENDAR = 'Content-Type: text/calendar; method=REQUEST'
const CSS = 'Content-Type: text/css|Content-ID: <c@x>'
const ROOT = 'Content-Type: text/html|Content-ID: <r@x>'
const NAMED_INLINE = 'Content-Type: text/plain|Content-Disposition: inline; filename=a.txt'
const SIGNATURE = 'Content-Type: application/pkcs7-signature; name=smime.p7s'

test.each<[string, Tree, { text: string | null; html: string | null; inline: string[]; attachments: string[] }]>([
  ['one text', TEXT, { text: '', html: null, inline: [], attachments: [] }],
  ['one HTML', HTML, { text: null, html: '', inline: [], attachments: [] }],
  ['one file', FILE, { text: null, html: null, inline: [], attachments: [''] }],
  ['text and file', ['mixed', TEXT, FILE], { text: '1', html: null, inline: [], attachments: ['2'] }],
  ['alternative', ['mixed', ['alternative', TEXT, HTML], FILE], { text: '1.1', html: '1.2', inline: [], attachments: ['2'] }],
  ['related', ['alternative', TEXT, ['related', HTML, IMAGE]], { text: '1', html: '2.1', inline: ['2.2'], attachments: [] }],
  ['HTML first', ['alternative', HTML, TEXT], { text: '2', html: '1', inline: [], attachments: [] }],
  ['text files', ['mixed', NAMED_TEXT, TEXT, MARKED_TEXT], { text: '2', html: null, inline: [], attachments: ['1', '3'] }],
  ['an image that nothing relates', ['mixed', TEXT, IMAGE], { text: '1', html: null, inline: [], attachments: ['2'] }],
  ['forwarded', ['mixed', TEXT, MESSAGE], { text: '1', html: null, inline: [], attachments: ['2'] }],
  ['alternative in related', ['related', ['alternative', TEXT, HTML], IMAGE], { text: '1.1', html: '1.2', inline: ['2'], attachments: [] }],
  [
    'related in alternative in mixed in signed',
    ['signed', ['mixed', ['alternative', TEXT, ['related', HTML, IMAGE]], FILE], SIGNATURE],
    { text: '1.1.1', html: '1.1.2.1', inline: ['1.1.2.2'], attachments: ['1.2', '2'] },
  ],
  [
    'alternatives in an alternative',
    ['alternative', ['alternative', TEXT], ['alternative', HTML]],
    { text: '1.1', html: '2.1', inline: [], attachments: [] },
  ],
  ['a start parameter', ['related; start="<r@x>"', CSS, IMAGE, ROOT], { text: null, html: '3', inline: ['2'], attachments: ['1'] }],
  ['a start without brackets', ['related; start="r@x"', CSS, ROOT], { text: null, html: '2', inline: [], attachments: ['1'] }],
  ['a start that is not there', ['related; start="<no@x>"', ROOT, CSS], { text: null, html: '1', inline: [], attachments: ['2'] }],
  ['a style sheet beside HTML', ['alternative', ['related', HTML, CSS]], { text: null, html: '1.1', inline: [], attachments: ['1.2'] }],
  ['a calendar', ['alternative', TEXT, HTML, CALENDAR], { text: '1', html: '2', inline: [], attachments: ['3'] }],
  ['a calendar first', ['alternative', CALENDAR, TEXT, HTML], { text: '2', html: '3', inline: [], attachments: ['1'] }],
  ['HTML and a calendar', ['alternative', HTML, CALENDAR], { text: null, html: '1', inline: [], attachments: ['2'] }],
  ['a calendar alone', ['mixed', CALENDAR, FILE], { text: '1', html: null, inline: [], attachments: ['2'] }],
  ['several texts', ['mixed', TEXT, IMAGE, TEXT, HTML], { text: '1', html: null, inline: [], attachments: ['2', '3', '4'] }],
  ['HTML in pieces', ['alternative', TEXT, ['mixed', HTML, FILE, HTML]], { text: '1', html: '2.1', inline: [], attachments: ['2.2', '2.3'] }],
  ['a list footer', ['mixed', ['alternative', TEXT, HTML], TEXT], { text: '1.1', html: '1.2', inline: [], attachments: ['2'] }],
  ['an inline text with a name', ['mixed', NAMED_INLINE, TEXT], { text: '2', html: null, inline: [], attachments: ['1'] }],
  ['one named text', NAMED_TEXT, { text: '', html: null, inline: [], attachments: [] }],
  ['one marked text', MARKED_TEXT, { text: null, html: null, inline: [], attachments: [''] }],
  ['a digest', ['digest', MESSAGE, MESSAGE], { text: null, html: null, inline: [], attachments: ['1', '2'] }],
])('selects the body of: %s', (_name, tree, expected) => {
  const { text, html, inline, attachments } = selectBody(parseMessage(Buffer.from(compose(tree))))
  expect({ text: text?.section ?? null, html: html?.section ?? null, inline: inline.map(section), attachments: attachments.map(section) }).toEqual(
    expected,
  )
})

test.each<[string, Tree, Record<string, string>]>([
  ['one text', TEXT, { '': 'body' }],
  ['one named file', 'Content-Type: application/edifact; name=a.edi', { '': 'body' }],
  ['one marked file', FILE, { '': 'other attachment' }],
  ['text and files', ['mixed', TEXT, FILE, TEXT], { 1: 'body', 2: 'other attachment', 3: 'other' }],
  ['a file before the text', ['mixed', FILE, INLINE_FILE, TEXT], { 1: 'other attachment', 2: 'other attachment', 3: 'body' }],
  ['alternative', ['alternative', TEXT, HTML], { 1: 'body', 2: 'other' }],
  ['HTML first', ['alternative', HTML, TEXT], { 1: 'candidate', 2: 'body' }],
  ['HTML alone', ['mixed', ['alternative', ['related', HTML, IMAGE]], TEXT], { '1.1.1': 'candidate', '1.1.2': 'other', 2: 'other' }],
  ['alternatives in an alternative', ['alternative', ['alternative', HTML], ['alternative', TEXT]], { '1.1': 'candidate', '2.1': 'body' }],
  ['enclosed', ['mixed', MESSAGE, TEXT], { 1: 'other attachment', 2: 'body' }],
])('finds the body in one pass: %s', async (_name, tree, expected) => {
  async function* source(): AsyncGenerator<Buffer, void, undefined> {
    yield Buffer.from(compose(tree))
  }
  const finder = new BodyFinder()
  const seen: Record<string, string> = {}
  for await (const part of (await readMessage(source())).parts({ enclosed: 'leaf' })) {
    seen[part.section] = `${finder.offer(part, part.path)}${isAttachment(part, part.path) ? ' attachment' : ''}`
  }
  expect(seen).toEqual(expected)
})

test.each([
  ['text/plain; format=flowed', '> a \r\n> b\r\nc\r\n', '> a b\nc\n'],
  ['text/plain; Format=Flowed; DelSp=Yes', 'a \r\nb\r\n', 'ab\n'],
  ['text/plain; delsp=yes', 'a \r\nb\r\n', 'a \r\nb\r\n'],
  ['text/plain', 'a \r\nb\r\n', 'a \r\nb\r\n'],
])('reads the text of %s', (type, body, text) => {
  expect(plainText(parseMessage(Buffer.from(`Content-Type: ${type}\r\n\r\n${body}`)))).toBe(text)
})

test.each([
  ['text/html', '<meta charset=koi8-r>\xc1', '<meta charset=koi8-r>а'],
  ['text/html; charset=iso-8859-2', '<meta charset=koi8-r>\xb1', '<meta charset=koi8-r>ą'],
  ['text/html; charset=x-nope', '<meta charset=koi8-r>\xe9', '<meta charset=koi8-r>é'],
  ['text/html', '<p>\xe9', '<p>é'],
  ['text/html', '\xef\xbb\xbf<p>\xc3\xa9\xe9', '<p>é\ufffd'],
])('reads the HTML of %s', (type, body, text) => {
  expect(htmlText(parseMessage(Buffer.from(`Content-Type: ${type}\r\n\r\n${body}`, 'latin1')))).toBe(text)
})
