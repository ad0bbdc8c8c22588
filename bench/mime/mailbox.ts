// A mailbox as people have them: every message with its own addresses, several charsets, encodings and structures, all from a seed.
import { Random } from '../messages.ts'
import type { BoxedMessage } from './inputs.ts'

/** Text in `charset` as `octets` writes it, with a subject whose encoded-words are in that charset too. */
interface Language {
  readonly charset: string
  readonly names: readonly [string, ...string[]]
  readonly subjects: readonly [string, ...string[]]
  readonly words: readonly [string, ...string[]]
  readonly octets: (text: string) => Buffer
}

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8')
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Cyrillic letters in KOI8-R's order (RFC 1489): its alphabet follows the Latin one. */
const KOI8 = 'юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ'
function koi8(text: string): Buffer {
  return Buffer.from(Array.from(text, (sign) => (KOI8.includes(sign) ? 0xc0 + KOI8.indexOf(sign) : (sign.codePointAt(0) ?? 63))))
}

const english = 'order invoice pallet quantity delivery price total net gross please find attached the list of items for your review regards'
const german = 'Größe Straße Lieferung Menge über für Grüße Rechnung März Stück Paletten anbei erhalten Sie die gewünschte Übersicht'

const LANGUAGES: readonly [Language, ...Language[]] = [
  language(
    'us-ascii',
    'John Smith|sales|O.Brien|Pat Miller|Warehouse 4',
    'Invoice 4711|Re: your order of 22 November|Fwd: delivery note (copy)',
    english,
    latin1,
  ),
  language(
    'utf-8',
    'Jürgen Müller|Anna Nováková|María García|山田太郎',
    'Rechnung März|納品書 4711|Objednávka č. 12',
    `${german} 納品書 請求書 příloha`,
    utf8,
  ),
  language('iso-8859-1', 'Jörg Weiß|Françoise Lefèvre|Søren Ærø', 'Bestellung für März|Größenliste', german, latin1),
  language('windows-1252', 'Günther Maß|José Núñez', 'Angebot über 12 Stück|Señal', german, latin1),
  language(
    'koi8-r',
    'Иван Петров|Ольга Смирнова',
    'Счёт пять|Заказ на поставку'.replace('ё', 'е'),
    'заказ поставка цена количество итого прилагается список товаров',
    koi8,
  ),
]

function language(charset: string, names: string, subjects: string, words: string, octets: (text: string) => Buffer): Language {
  return { charset, names: list(names, '|'), subjects: list(subjects, '|'), words: list(words, ' '), octets }
}

function list(text: string, separator: string): readonly [string, ...string[]] {
  const [first = '', ...rest] = text.split(separator)
  return [first, ...rest]
}

const DOMAINS = ['example.test', 'mail.example.com', 'partner.example.org', 'orders.example.net', 'xn--mller-kva.example'] as const
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const ZONES = ['+0000', '+0100', '-0500', '+0530', 'GMT'] as const

/** Gives the next message of the mailbox. */
export function mailbox(seed: number): (at: number) => BoxedMessage {
  const random = new Random(seed)
  return (at) => new Writer(random, at).message()
}

class Writer {
  readonly #random: Random
  readonly #at: number
  readonly #language: Language
  readonly #contents: Buffer[] = []
  #leaves = 0
  #boundaries = 0

  constructor(random: Random, at: number) {
    this.#random = random
    this.#at = at
    this.#language = random.pick(LANGUAGES)
  }

  message(): BoxedMessage {
    const subject = `${this.#random.pick(this.#language.subjects)} ${this.#at}`
    const messageId = `<${this.#at}.${this.#random.next(1e9)}@${this.#random.pick(DOMAINS)}>`
    const fields = this.#fields(subject, messageId)
    const message = Buffer.concat([Buffer.from(fields), this.#body()])
    return { message, subject, messageId, contents: this.#contents, leaves: this.#leaves }
  }

  #fields(subject: string, messageId: string): string {
    const random = this.#random
    const date = `${random.pick(DAYS)}, ${1 + random.next(28)} Nov 2026 ${10 + random.next(10)}:${10 + random.next(50)}:00 ${random.pick(ZONES)}`
    const hops = Array.from(
      { length: 2 + random.next(5) },
      (_, hop) =>
        `Received: from mx${hop}.${random.pick(DOMAINS)} (mx${hop}.example.test [192.0.2.${random.next(255)}])\r\n\tby mail.example.test (Postfix) with ESMTPS id ${random.next(1e9)};\r\n\tSun, 22 Nov 2026 10:${10 + hop}:00 +0000\r\n`,
    )
    const signature =
      random.next(3) > 0
        ? `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.test; s=s1;\r\n\th=from:to:subject:date;\r\n\tbh=${random.octets(32).toString('base64')};\r\n\tb=${random.octets(72).toString('base64')}\r\n\t ${random.octets(48).toString('base64')}\r\n`
        : ''
    const references =
      random.next(3) === 0
        ? `In-Reply-To: <${random.next(1e9)}@example.test>\r\nReferences: <${random.next(1e9)}@example.test>\r\n <${random.next(1e9)}@example.test>\r\n`
        : ''
    const cc = random.next(3) === 0 ? `Cc: ${this.#mailboxes(1 + random.next(6))}\r\n` : ''
    return (
      `Return-Path: <bounce-${random.next(1e6)}@${random.pick(DOMAINS)}>\r\n${hops.join('')}${signature}` +
      `From: ${this.#mailbox()}\r\nTo: ${this.#mailboxes(1 + random.next(4))}\r\n${cc}${references}` +
      `Subject: ${this.#word(subject)}\r\nDate: ${date}\r\nMessage-ID: ${messageId}\r\nMIME-Version: 1.0\r\nX-Mailer: bench ${random.next(99)}\r\nX-Spam-Score: ${random.next(9)}.${random.next(9)}\r\n`
    )
  }

  #mailboxes(count: number): string {
    return Array.from({ length: count }, () => this.#mailbox()).join(',\r\n ')
  }

  #mailbox(): string {
    const random = this.#random
    const address = `user${random.next(100_000)}.${random.next(100)}@${random.pick(DOMAINS)}`
    switch (random.next(4)) {
      case 0:
        return address
      case 1:
        return `"Miller, Pat (${random.next(100)})" <${address}>`
      default:
        return `${this.#word(random.pick(this.#language.names))} <${address}>`
    }
  }

  /** A phrase or an unstructured text, as encoded-words where it has to be (RFC 2047). */
  #word(text: string): string {
    if (/^[ -~]*$/.test(text)) return text
    const octets = this.#language.octets(text)
    if (this.#random.next(2) === 0 && octets.length < 40) return `=?${this.#language.charset}?B?${octets.toString('base64')}?=`
    const signs = Array.from(octets, (octet) =>
      octet === 32 ? '_' : /[A-Za-z0-9]/.test(String.fromCharCode(octet)) ? String.fromCharCode(octet) : hex(octet),
    )
    // Not inside a character: the lines of UTF-8 stay whole, since none of the texts is longer than an encoded-word may be here.
    return `=?${this.#language.charset}?Q?${signs.join('')}?=`
  }

  #body(): Buffer {
    switch (this.#random.next(10)) {
      case 0:
      case 1:
      case 2:
        return this.#text('plain', 80)
      case 3:
      case 4:
        return this.#alternative()
      case 5:
        return this.#multipart('related', [this.#text('html', 60), this.#image()])
      case 6:
        return this.#multipart('mixed', [this.#alternative(), this.#attachment(40_000)])
      case 7:
        return this.#multipart('mixed', [this.#text('plain', 30), ...Array.from({ length: 1 + this.#random.next(3) }, () => this.#attachment(8000))])
      case 8:
        return this.#multipart('mixed', [
          this.#multipart('alternative', [this.#text('plain', 40), this.#multipart('related', [this.#text('html', 60), this.#image()])]),
          this.#attachment(12_000),
        ])
      default:
        return this.#multipart('signed', [this.#text('plain', 50), this.#signature()])
    }
  }

  #alternative(): Buffer {
    return this.#multipart('alternative', [this.#text('plain', 50), this.#text('html', 60)])
  }

  #text(subtype: 'plain' | 'html', words: number): Buffer {
    this.#leaves++
    const { charset, octets } = this.#language
    const plain = this.#prose(words)
    const text = octets(subtype === 'plain' ? plain : `<html><body><p>${plain.replaceAll('\r\n', '</p>\r\n<p>')}</p></body></html>\r\n`)
    const type = `Content-Type: text/${subtype}; charset=${charset}`
    if (charset === 'us-ascii') return Buffer.concat([Buffer.from(`${type}\r\n\r\n`), text])
    switch (this.#random.next(3)) {
      case 0:
        return Buffer.concat([Buffer.from(`${type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`), text])
      case 1:
        return Buffer.from(`${type}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${quotedPrintable(text)}`)
      default:
        return Buffer.from(`${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(text)}`)
    }
  }

  #prose(words: number): string {
    let text = ''
    const count = words + this.#random.next(words * 3)
    for (let at = 1; at <= count; at++) text += `${this.#random.pick(this.#language.words)}${at % 11 === 0 ? '\r\n' : ' '}`
    return `${text}\r\n`
  }

  #attachment(most: number): Buffer {
    const random = this.#random
    const number = random.next(1e6)
    const [type, name] =
      random.next(2) === 0
        ? [`application/pdf; name="order-${number}.pdf"`, `filename="order-${number}.pdf"`]
        : ['application/pdf', `filename*=utf-8''Rechnung%20${number}%20M%C3%A4rz.pdf`]
    const disposition = `Content-Disposition: attachment;\r\n ${name}; size=${random.next(1e6)}`
    return this.#encoded(`Content-Type: ${type}\r\n${disposition}`, 300 + random.next(most))
  }

  #image(): Buffer {
    return this.#encoded(
      `Content-Type: image/png\r\nContent-ID: <logo.${this.#at}@example.test>\r\nContent-Disposition: inline; filename=logo.png`,
      400 + this.#random.next(3000),
    )
  }

  #signature(): Buffer {
    return this.#encoded('Content-Type: application/pkcs7-signature; name="smime.p7s"\r\nContent-Disposition: attachment; filename="smime.p7s"', 2000)
  }

  #encoded(fields: string, length: number): Buffer {
    const content = this.#random.octets(length)
    this.#leaves++
    this.#contents.push(content)
    return Buffer.from(`${fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(content)}`)
  }

  #multipart(subtype: string, parts: readonly Buffer[]): Buffer {
    const boundary = `----=_${subtype}_${this.#at}_${this.#boundaries++}.${this.#random.next(1e9)}`
    const more = subtype === 'signed' ? '; protocol="application/pkcs7-signature"; micalg=sha-256' : subtype === 'related' ? '; type="text/html"' : ''
    const delimiter = Buffer.from(`\r\n--${boundary}\r\n`)
    return Buffer.concat([
      Buffer.from(`Content-Type: multipart/${subtype}${more};\r\n boundary="${boundary}"\r\n\r\n`),
      ...parts.flatMap((part) => [delimiter, part]),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ])
  }
}

function base64(octets: Buffer): string {
  return octets.toString('base64').replaceAll(/.{1,76}/g, '$&\r\n')
}

function hex(octet: number): string {
  return `=${octet.toString(16).toUpperCase().padStart(2, '0')}`
}

function quotedPrintable(octets: Buffer): string {
  let out = ''
  let column = 0
  for (const octet of octets) {
    const sign = octet === 13 || octet === 10 || (octet >= 32 && octet < 127 && octet !== 61) ? String.fromCharCode(octet) : hex(octet)
    if (octet !== 13 && octet !== 10 && column + sign.length > 74) {
      out += '=\r\n'
      column = 0
    }
    out += sign
    column = octet === 10 ? 0 : column + sign.length
  }
  return out
}
