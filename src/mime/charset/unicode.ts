import { TextDecoder } from 'node:util'

const REPLACEMENT = 0xfffd
const BYTE_ORDER_MARK = 0xfeff
const TURNED_MARK = 0xfffe0000

/** Holds back what a chunk cuts in two; `end` says what is left over. A byte order mark comes out as U+FEFF. */
export interface Decoding {
  decode(chunk: Buffer): string
  end(): string
}

/** UTF-32, in the order that a byte order mark says, or else `little`. */
export class Utf32Decoding implements Decoding {
  #little: boolean
  #code = 0
  #count = 0

  constructor(little: boolean) {
    this.#little = little
  }

  decode(chunk: Buffer): string {
    const units: string[] = []
    for (const octet of chunk) {
      this.#code = this.#little ? (this.#code | (octet << (8 * this.#count))) >>> 0 : ((this.#code << 8) | octet) >>> 0
      if (++this.#count < 4) continue
      if (this.#code === TURNED_MARK) {
        this.#little = !this.#little // beyond Unicode, so it can only be a mark
        this.#code = BYTE_ORDER_MARK
      }
      units.push(character(this.#code))
      this.#code = 0
      this.#count = 0
    }
    return units.join('')
  }

  end(): string {
    return this.#count > 0 ? '\ufffd' : ''
  }
}

/** UTF-16 in the order of its byte order mark; without one in the order of its label, or as the first character suggests. */
export class Utf16Decoding implements Decoding {
  #decoder: TextDecoder | undefined
  readonly #order: 'utf-16le' | 'utf-16be' | undefined
  #first: number | undefined

  constructor(order: 'utf-16le' | 'utf-16be' | undefined) {
    this.#order = order
  }

  decode(chunk: Buffer): string {
    if (chunk.length === 0) return ''
    if (this.#decoder !== undefined) return this.#decoder.decode(chunk, { stream: true })
    if (this.#first === undefined && chunk.length === 1) {
      this.#first = chunk[0]
      return ''
    }
    const head = this.#first === undefined ? chunk : Buffer.concat([Buffer.of(this.#first), chunk])
    this.#decoder = new TextDecoder(orderOf(head, this.#order), { ignoreBOM: true })
    return this.#decoder.decode(head, { stream: true })
  }

  end(): string {
    return this.#decoder === undefined ? (this.#first === undefined ? '' : '\ufffd') : this.#decoder.decode()
  }
}

function orderOf(head: Buffer, label: 'utf-16le' | 'utf-16be' | undefined): 'utf-16le' | 'utf-16be' {
  const [first = 0, second = 0] = head
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  return label ?? (first === 0 && second !== 0 ? 'utf-16be' : 'utf-16le')
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PLUS = 43
const MINUS = 45

/** UTF-7 (RFC 2152). Only for text that is labelled so: guessing it has let scripts through. */
export class Utf7Decoding implements Decoding {
  readonly #values = Int8Array.from({ length: 128 }, (_, code) => BASE64.indexOf(String.fromCharCode(code)))
  #state: 'direct' | 'plus' | 'base64' = 'direct'
  #bits = 0
  #count = 0
  /** A high surrogate that waits for its other half. */
  #high = 0

  decode(chunk: Buffer): string {
    const out: string[] = []
    for (const octet of chunk) {
      const value = octet < 128 ? (this.#values[octet] ?? -1) : -1
      if (this.#state !== 'direct') {
        if (value >= 0) {
          this.#state = 'base64'
          this.#bits = ((this.#bits << 6) | value) & 0x3fffff
          this.#count += 6
          if (this.#count >= 16) {
            this.#count -= 16
            this.#unit((this.#bits >> this.#count) & 0xffff, out)
          }
          continue
        }
        const empty = this.#state === 'plus'
        this.#leave(out)
        if (octet === MINUS) {
          if (empty) out.push('+')
          continue
        }
        if (empty) out.push('+') // "+ " stands for nothing: keep what was sent
      }
      if (octet === PLUS) this.#state = 'plus'
      else out.push(octet < 128 ? String.fromCharCode(octet) : '\ufffd')
    }
    return out.join('')
  }

  end(): string {
    const out: string[] = this.#state === 'plus' ? ['+'] : []
    this.#leave(out)
    return out.join('')
  }

  #leave(out: string[]): void {
    if (this.#high > 0) out.push('\ufffd')
    this.#state = 'direct'
    this.#bits = 0
    this.#count = 0
    this.#high = 0
  }

  #unit(unit: number, out: string[]): void {
    const low = unit >= 0xdc00 && unit <= 0xdfff
    if (this.#high > 0) {
      out.push(low ? String.fromCharCode(this.#high, unit) : '\ufffd')
      this.#high = 0
      if (low) return
    }
    if (unit >= 0xd800 && unit <= 0xdbff) this.#high = unit
    else out.push(low ? '\ufffd' : String.fromCharCode(unit))
  }
}

function character(code: number): string {
  return String.fromCodePoint(code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? REPLACEMENT : code)
}
