import { Random, smallMessages } from '../../messages.ts'

export const CHUNK = 64 * 1024
const MEBIBYTE = 1024 * 1024
const WHOLE_LINES = 497 * 2109 // octets that fill lines of 76 columns in base64, and also lines of 76 and 72 in turn

export const ignore = (): void => {}

export function chunksOf(octets: Buffer, size = CHUNK): Buffer[] {
  return Array.from({ length: Math.ceil(octets.length / size) }, (_, at) => octets.subarray(at * size, (at + 1) * size))
}

export function lengthOf(views: readonly Buffer[]): number {
  let length = 0
  for (const view of views) length += view.length
  return length
}

export const randomOctets = (length = MEBIBYTE): Buffer => new Random(20_261_122).octets(length)

/** Base64 of about a mebibyte, in lines of these widths in turn. */
export function base64Lines(...widths: readonly number[]): Buffer {
  const digits = randomOctets(WHOLE_LINES).toString('base64')
  const lines: string[] = []
  for (let at = 0; at < digits.length;) {
    const width = widths[lines.length % widths.length] ?? 76
    lines.push(digits.slice(at, at + width))
    at += width
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1')
}

/** A text of a mebibyte or a little more, made of these lines in turn. */
export function textOf(...lines: readonly string[]): Buffer {
  const block = Buffer.from(lines.map((line) => `${line}\r\n`).join(''))
  return Buffer.concat(Array.from({ length: Math.ceil(MEBIBYTE / block.length) }, () => block))
}

export const PROSE = [
  'Dear Sir or Madam,',
  'please find attached the invoice for your order of 22 November.',
  '',
  'The pallets leave our warehouse on Monday, and should be with you by Thursday at the latest.',
  'Article 4711, quantity 12, net 1,024.00, gross 1,218.56',
] as const

export const GERMAN = [
  'Sehr geehrte Damen und Herren,',
  'anbei die Rechnung für Ihre Bestellung vom 22. November; Größe und Menge stehen unten.',
  '',
  'Die Paletten verlassen unser Lager am Montag und müssten spätestens Donnerstag bei Ihnen sein.',
] as const

const MESSAGES = 200

export const messages = (): Buffer[] => smallMessages(MESSAGES)

/** The header sections of these messages, without the empty line. */
export const headerSections = (): Buffer[] => messages().map((message) => message.subarray(0, message.indexOf('\r\n\r\n') + 2))
