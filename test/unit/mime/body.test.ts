import { expect, test } from 'vitest'
import { BodyFinder, isAttachment } from '../../../src/mime/body.ts'
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
