import { createHash } from 'node:crypto'

/** Octets that are the same in every run. A generator of 32 bits is enough for content that must only not repeat soon (xorshift, Marsaglia). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  next(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % below
  }

  octets(length: number): Buffer {
    const octets = Buffer.allocUnsafe(length)
    for (let at = 0; at < length; at++) octets[at] = this.next(256)
    return octets
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.next(list.length)] ?? list[0]
  }
}

export interface AttachmentMessage {
  readonly message: Buffer
  /** Of the decoded attachment. */
  readonly octets: number
  readonly sha256: string
}

const LINE_OCTETS = 57

/** A message with a text and one base64 attachment of about `bytes` octets: a block of nearly 1 MB that repeats. */
export function attachmentMessage(bytes: number): AttachmentMessage {
  const block = new Random(20_261_122).octets(LINE_OCTETS * 16_384)
  const lines = block.toString('base64').replaceAll(/.{76}/g, '$&\r\n')
  const encoded = Buffer.from(lines, 'latin1')
  const count = Math.max(1, Math.round(bytes / block.length))
  const head = Buffer.from(
    'From: "Sender, A." <a@example.test>\r\nTo: b@example.test\r\nSubject: =?utf-8?Q?Gr=C3=B6=C3=9Fe?=\r\n' +
      'Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <bench@example.test>\r\nMIME-Version: 1.0\r\n' +
      'Content-Type: multipart/mixed; boundary="=_b1"\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee the attachment.\r\n' +
      '--=_b1\r\nContent-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n' +
      'Content-Disposition: attachment; filename="a.bin"\r\n\r\n',
  )
  const hash = createHash('sha256')
  for (let at = 0; at < count; at++) hash.update(block)
  return {
    message: Buffer.concat([head, ...Array.from({ length: count }, () => encoded), Buffer.from('--=_b1--\r\n')]),
    octets: count * block.length,
    sha256: hash.digest('hex'),
  }
}

const NAMES = ['Jürgen Müller', 'Anna Novák', 'John Smith', '山田太郎', 'Иван Петров', 'María García', 'O’Brien, Pat', 'sales'] as const
const DOMAINS = ['example.test', 'mail.example.com', 'partner.example.org', 'xn--mller-kva.example'] as const
const SUBJECTS = ['Invoice 4711', 'Rechnung März', 'Re: your order of 22 November', '納品書', 'Счёт № 5', 'Fwd: delivery note (copy)'] as const
const WORDS = 'order invoice pallet quantity delivery price Größe straße été naïve total net gross please find attached the list of items'.split(' ')

/** Messages as a mailbox has them: plain, alternative, with a small attachment, forwarded; in several charsets and encodings. */
export function smallMessages(count: number): Buffer[] {
  const random = new Random(4711)
  return Array.from({ length: count }, (_, at) => smallMessage(random, at))
}

function smallMessage(random: Random, at: number): Buffer {
  const header =
    Array.from(
      { length: 3 + random.next(4) },
      (_, hop) =>
        `Received: from mx${hop}.example.test (mx${hop}.example.test [192.0.2.${hop}])\r\n\tby mail.example.test with ESMTPS id ${at}.${hop};\r\n\tSun, 22 Nov 2026 10:${10 + hop}:00 +0000\r\n`,
    ).join('') +
    `From: ${word(random.pick(NAMES))} <${local(random)}@${random.pick(DOMAINS)}>\r\n` +
    `To: ${Array.from({ length: 1 + random.next(3) }, () => `${word(random.pick(NAMES))} <${local(random)}@${random.pick(DOMAINS)}>`).join(',\r\n ')}\r\n` +
    `Subject: ${word(random.pick(SUBJECTS))}\r\nDate: Sun, 22 Nov 2026 10:0${random.next(10)}:00 +0100\r\nMessage-ID: <${at}.${random.next(1e9)}@example.test>\r\nMIME-Version: 1.0\r\n` +
    `DKIM-Signature: v=1; a=rsa-sha256; d=example.test; s=s1; h=from:to:subject;\r\n\tbh=${random.octets(32).toString('base64')};\r\n\tb=${random.octets(96).toString('base64')}\r\nX-Mailer: bench ${random.next(9)}\r\n`
  switch (random.next(5)) {
    case 0:
      return Buffer.concat([
        Buffer.from(`${header}Content-Type: text/plain; charset=us-ascii\r\n\r\n`),
        Buffer.from(text(random, 40).replaceAll(/[^ -~\r\n]/g, '?')),
      ])
    case 1:
      return Buffer.concat([
        Buffer.from(`${header}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`),
        Buffer.from(text(random, 60), 'latin1'),
      ])
    case 2:
      return Buffer.from(
        `${header}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${quoted(text(random, 80))}`,
      )
    case 3:
      return Buffer.from(header + alternative(random, `alt${at}`))
    default: {
      const boundary = `mix${at}`
      const attachment = random
        .octets(300 + random.next(12_000))
        .toString('base64')
        .replaceAll(/.{76}/g, '$&\r\n')
      return Buffer.from(
        `${header}Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n--${boundary}\r\n${alternative(random, `alt${at}`)}\r\n--${boundary}\r\n` +
          `Content-Type: application/pdf; name="a${at}.pdf"\r\nContent-Disposition: attachment;\r\n filename*=utf-8''Rechnung%20${at}%20M%C3%A4rz.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${attachment}\r\n--${boundary}--\r\n`,
      )
    }
  }
}

function alternative(random: Random, boundary: string): string {
  const body = text(random, 50)
  return (
    `Content-Type: multipart/alternative; boundary=${boundary}\r\n\r\n--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n` +
    `${quoted(body)}\r\n--${boundary}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n` +
    `${Buffer.from(`<html><body><p>${body}</p></body></html>`).toString('base64').replaceAll(/.{76}/g, '$&\r\n')}\r\n--${boundary}--\r\n`
  )
}

function text(random: Random, words: number): string {
  let out = ''
  for (let at = 0; at < words + random.next(words * 3); at++) out += WORDS[random.next(WORDS.length)] + (at % 11 === 10 ? '\r\n' : ' ')
  return `${out}\r\n`
}

function quoted(body: string): string {
  return Buffer.from(body)
    .toString('latin1')
    .replaceAll(/[\x80-\xff=]/g, (octet) => `=${octet.charCodeAt(0).toString(16).toUpperCase()}`)
}

function word(phrase: string): string {
  return /^[ -~]*$/.test(phrase) ? phrase : `=?utf-8?B?${Buffer.from(phrase).toString('base64')}?=`
}

function local(random: Random): string {
  return `user${random.next(1000)}.x`
}
