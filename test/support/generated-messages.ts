import { Random } from './random.ts'

/** A message with parts in parts, written as senders do and, here and there, as they should not. The same for the same seed. */
export function generatedMessage(seed: number): Buffer {
  const random = new Random(seed)
  const text = `${fieldsOfMessage(random)}${entity(random, 0)}`
  const lines = text.split('\n')
  const kind = random.below(4)
  const lineEnd = (): string => (kind < 2 ? '\r\n' : kind === 2 ? '\n' : random.pick(['\n', '\r\n', '\r\n', '\r\r\n']))
  return Buffer.from(lines.map((line, at) => (at + 1 < lines.length ? line + lineEnd() : line)).join(''), 'latin1')
}

const SUBJECTS = ['s', '=?utf-8?Q?=C5=BE?=', '=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', 'a\n b', '\xc5\xbe', '=?x?', 'a\0b'] as const
const ADDRESSES = ['A <a@x.test>', 'g: a@x, b@y;', 'a@x, "b, c" <d@y>', '(c) a@x', '<a@x', 'a', ''] as const
const BOUNDARIES = ['b', 'bb', 'b-', 'bc', '=_c', 'd'] as const
const TEXTS = [
  '',
  'text',
  'text\n',
  'one\ntwo\n\n',
  '\n\nthree',
  '--\nsignature',
  '--b x',
  '--',
  'a line of text '.repeat(9),
  'From here\n.\n',
  '\xe4\xff\n',
] as const
const NAMES = [
  'name=a.txt',
  'name="a b.txt"',
  "name*=utf-8''%C5%BE.txt",
  'name*0=a; name*1=.txt',
  'name==?utf-8?Q?a?=',
  '; name=x',
  'name="',
] as const
const CHARSETS = ['', '; charset=utf-8', '; charset=windows-1252', '; charset="iso-8859-2"', '; charset=x-none', '; charset=utf-7'] as const
const ENCODINGS = ['', '', '7bit', '8bit', 'base64', 'quoted-printable', 'x-uuencode', 'Base64 (c)', 'x-none', 'binary, base64'] as const

function fieldsOfMessage(random: Random): string {
  let text = random.once(20) ? 'From x Thu Jan 1 00:00:00 1970\n' : ''
  if (random.once(2)) text += `From: ${random.pick(ADDRESSES)}\n`
  if (random.once(2)) text += `To: ${random.pick(ADDRESSES)}\n`
  if (random.once(2)) text += `Subject: ${random.pick(SUBJECTS)}\n`
  if (random.once(3)) text += 'Date: Thu, 1 Jan 1970 00:00:00 +0000\n'
  if (random.once(4)) text += 'Message-ID: <a@x>\n'
  if (random.once(9)) text += random.pick(['no colon\n', 'X : y\n', ' z\n', 'X: y\n \n', ': y\n', '--b\n', 'X: a\rb\n'])
  return text
}

function entity(random: Random, depth: number): string {
  const kind = random.below(depth > 4 ? 2 : 6)
  if (kind > 3) return multipart(random, depth)
  return kind === 3 ? enclosed(random, depth) : leaf(random)
}

function multipart(random: Random, depth: number): string {
  const boundary = random.pick(BOUNDARIES)
  const type = random.pick(['mixed', 'mixed', 'alternative', 'digest', 'related', 'signed', 'report'])
  const given = random.once(15) ? '' : random.pick([`; boundary=${boundary}`, `; boundary="${boundary}"`, `; boundary="${boundary} "`])
  let text = `Content-Type: multipart/${type}${given}\n${blankLine(random)}`
  if (random.once(3)) text += 'preamble\n'
  for (let parts = random.below(4); parts >= 0; parts--) {
    text += `--${boundary}${random.pick(['', '', '', ' ', '\t '])}\n`
    if (!random.once(20)) text += random.once(12) ? `\n${random.pick(TEXTS)}` : entity(random, depth + 1)
    if (!random.once(20)) text += '\n'
  }
  if (!random.once(9)) text += `--${boundary}--`
  if (random.once(2)) text += '\n'
  return text + (random.once(5) ? '\nepilogue\n' : '')
}

function enclosed(random: Random, depth: number): string {
  const inside = `${fieldsOfMessage(random)}${entity(random, depth + 1)}`
  const encoding = random.pick(['', '', '', 'base64', 'quoted-printable', '8bit', 'x-none'])
  return `Content-Type: message/${random.pick(['rfc822', 'global', 'rfc822'])}\n${encoded(random, Buffer.from(inside, 'latin1'), encoding)}`
}

function leaf(random: Random): string {
  let text = ''
  const type = random.pick(['', 'text/plain', 'text/html', 'application/octet-stream', 'image/png', 'text', 'text/plain/x'])
  if (type !== '') text += `Content-Type: ${type}${random.pick(CHARSETS)}${random.once(4) ? `; ${random.pick(NAMES)}` : ''}\n`
  if (random.once(3)) text += `Content-Disposition: ${random.pick(['attachment', 'inline', ''])}; file${random.pick(NAMES)}\n`
  if (random.once(6)) text += 'Content-ID: <c@x>\n'
  const content = random.once(3) ? random.octets(random.below(300)) : Buffer.from(random.pick(TEXTS), 'latin1')
  return text + encoded(random, content, random.pick(ENCODINGS))
}

/** The field that names the encoding, an empty line, and the body, damaged at times. */
function encoded(random: Random, content: Buffer, encoding: string): string {
  const field = encoding === '' ? '' : `Content-Transfer-Encoding: ${encoding}\n`
  let body = content.toString('latin1')
  if (/^base64/i.test(encoding)) body = content.toString('base64').replace(/.{76}/g, '$&\n')
  else if (encoding === 'quoted-printable') {
    body = body.replace(/[^\n -<>-~]|=/g, (character) => `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    body = body.replace(/[^\n]{70}/g, '$&=\n')
  } else if (encoding === 'x-uuencode') body = `begin 644 x\n${uuencoded(content)}\`\nend`
  if (encoding !== '' && random.once(5)) {
    const at = random.below(body.length + 1)
    body = body.slice(0, at) + random.pick(['=', '==', ' ', '\n', '*', '--b', 'x', '=\n', '\xff', '\r']) + body.slice(at + random.below(4))
  }
  return `${field}${blankLine(random)}${body}`
}

const blankLine = (random: Random): string => (random.once(30) ? '' : '\n')

function uuencoded(content: Buffer): string {
  let text = ''
  for (let at = 0; at < content.length; at += 45) {
    const line = content.subarray(at, at + 45)
    text += String.fromCharCode(32 + line.length)
    for (let group = 0; group < line.length; group += 3) {
      const bits = ((line[group] ?? 0) << 16) | ((line[group + 1] ?? 0) << 8) | (line[group + 2] ?? 0)
      for (const shift of [18, 12, 6, 0]) text += String.fromCharCode(((bits >> shift) & 63) === 0 ? 0x60 : 32 + ((bits >> shift) & 63))
    }
    text += '\n'
  }
  return text
}
