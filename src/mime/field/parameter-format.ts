import { encodeWords, needsEncoding, percentEncoded } from './encoded-word.ts'
import { checkFieldText, FieldWriter, headerError } from './fold.ts'
import { skipToken } from './scan.ts'

const MAX_PIECE = 74 // so that a parameter with its name, its quotes and a semicolon fits on a line

/** A parameter as pieces for `formatStructured`, by RFC 2231 where it is not ASCII or too long for a line. Throws `ERR_HEADER`. */
export function formatParameter(name: string, value: string): string[] {
  checkFieldText(name, value)
  if (!isPlainToken(name)) throw headerError(name, 'not the name of a parameter')
  const plain = plainParameter(name, value)
  if (plain !== undefined) return [plain]
  const encoded = Array.from(value, (character) => (ATTRIBUTE_CHARACTER.test(character) ? character : percentEncoded(character)))
  const whole = `${name}*=UTF-8''${encoded.join('')}`
  if (whole.length <= MAX_PIECE) return [whole]
  const pieces: string[] = []
  let piece = `${name}*0*=UTF-8''`
  for (const character of encoded) {
    if (piece.length + character.length > MAX_PIECE && !piece.endsWith('=')) {
      pieces.push(piece)
      piece = `${name}*${pieces.length}*=`
    }
    piece += character
  }
  return [...pieces, piece]
}

/** `name=` for Outlook and others that know no RFC 2231: if need be as encoded-words in quotes, which RFC 2047 §5 forbids and everybody reads. */
export function formatNameParameter(value: string): string {
  checkFieldText('name', value)
  return plainParameter('name', value) ?? `name="${encodeWords(value, MAX_PIECE - 'name=""'.length).join('\r\n ')}"`
}

function plainParameter(name: string, value: string): string | undefined {
  // A boundary of 70 characters in quotes is wider than a line should be, but readers want it whole (RFC 2046 §5.1.1).
  const limit = name === 'boundary' ? 81 : MAX_PIECE
  if (needsEncoding(value) || value.includes('\t') || name.length + value.length > limit) return undefined
  const plain = isPlainToken(value) ? `${name}=${value}` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`
  return plain.length <= limit ? plain : undefined
}

/** Python takes a `*` in a token for RFC 2231's; `'` and `%` are its delimiters too. */
const isPlainToken = (text: string): boolean => text !== '' && skipToken(text, 0) === text.length && !/['%*]/.test(text)

/** What RFC 2231 §7 lets stand as it is. */
const ATTRIBUTE_CHARACTER = /^[A-Za-z0-9!#$&+\-.^_`{|}~]$/

/** `Name: value; parameter; parameter` without its final CRLF, folded before parameters. */
export function formatStructured(name: string, value: string, parameters: readonly string[]): string {
  if (/[^\x20-\x7e]/.test(value) || value === '') throw headerError(name, 'the value is not printable ASCII')
  const writer = new FieldWriter(name)
  writer.add(value + (parameters.length > 0 ? ';' : ''))
  for (const [at, parameter] of parameters.entries()) {
    // A name in several encoded-words brings its own folds.
    const [first = '', ...lines] = `${parameter}${at < parameters.length - 1 ? ';' : ''}`.split('\r\n')
    writer.add(first)
    for (const line of lines) writer.addLine(line)
  }
  return writer.toString()
}
