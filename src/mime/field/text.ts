import type { Report } from '../defect.ts'
import { decodeWords, needsEncoding } from './encoded-word.ts'
import { checkFieldText, FieldWriter } from './fold.ts'
import { firstOfEach, octetDecoder, skipBlanks, trimBlanks } from './scan.ts'

/** An unstructured field's body as text (RFC 5322 §3.2.5, RFC 2047), without the blanks around it. A CR or LF inside is a space, NUL is U+FFFD. */
export function decodeUnstructured(body: string, reportAll: Report): string {
  const text = trimBlanks(body)
  if (!needsEncoding(text)) return text // printable ASCII: what nearly every field is
  const report = firstOfEach(reportAll)
  const start = skipBlanks(body, 0)
  const decode = octetDecoder(text, report, start)
  if (!/[\r\n\0]/.test(text)) return decodeWords(text, report, start, decode)
  return decodeWords(text.replace(/[\r\n]/g, ' '), report, start, (octets) => decode(octets).replace(/\0/g, '\ufffd'))
}

const MAX_BLANKS = 20 // more than this many blanks in a row, or characters without one, and a plain line would become too long
const MAX_PLAIN = 900

/** `Name: body` without its final CRLF, folded; what is not printable ASCII as encoded-words. Throws `ERR_HEADER` (see `checkFieldText`). */
export function formatUnstructured(name: string, text: string): string {
  checkFieldText(name, text)
  const writer = new FieldWriter(name)
  for (const { value, blanks, encoded } of segments(text)) {
    if (encoded) writer.addWords(value, blanks)
    else writer.add(value, blanks)
  }
  return writer.toString()
}

type Segment = { value: string; readonly blanks: string; readonly encoded: boolean }

/** Words, each with the blanks before it. Those that would vanish, at both ends and between words that need encoding, are part of a word. */
function segments(text: string): Segment[] {
  const found: Segment[] = []
  const start = skipBlanks(text, 0)
  const middle = trimBlanks(text)
  const end = start + middle.length
  for (const { 0: match, 1: blanks = '', index } of middle.matchAll(/([\t ]*)[^\t ]+/g)) {
    const first = found.length === 0
    const last = found.at(-1)
    const word = (first ? text.slice(0, start) : '') + match.slice(blanks.length) + (index + match.length === middle.length ? text.slice(end) : '')
    const isLong = word.length > MAX_PLAIN || blanks.length > MAX_BLANKS
    if (!isLong && !needsEncoding(word) && word === trimBlanks(word)) found.push({ value: word, blanks: first ? ' ' : blanks, encoded: false })
    else if (last?.encoded === true) last.value += blanks + word
    else if (blanks.length > MAX_BLANKS) found.push({ value: blanks.slice(1) + word, blanks: blanks.slice(0, 1), encoded: true })
    else found.push({ value: word, blanks: first ? ' ' : blanks, encoded: true })
  }
  return found.length === 0 && text !== '' ? [{ value: text, blanks: ' ', encoded: true }] : found
}
