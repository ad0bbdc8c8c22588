/** As much of DER (ITU-T X.690) as a certificate needs. Each function gives one whole element. */
function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag), lengthOctets(content.length), content])
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  if (length < 0x100) return Buffer.of(0x81, length)
  return Buffer.of(0x82, length >> 8, length & 0xff)
}

export function sequence(...elements: readonly Buffer[]): Buffer {
  return element(0x30, ...elements)
}

export function set(...elements: readonly Buffer[]): Buffer {
  return element(0x31, ...elements)
}

/** A small number, or the octets of a big one; its first octet must be below 0x80. */
export function integer(value: number | Buffer): Buffer {
  return element(0x02, typeof value === 'number' ? Buffer.of(value) : value)
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Buffer.of(value ? 0xff : 0))
}

export function bitString(octets: Buffer, unusedBits = 0): Buffer {
  return element(0x03, Buffer.of(unusedBits), octets)
}

export function octetString(octets: Buffer): Buffer {
  return element(0x04, octets)
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text))
}

/** An element in a context-specific tag: explicit around a whole element, or implicit in place of its tag. */
export function context(tag: number, content: Buffer, constructed = true): Buffer {
  return element((constructed ? 0xa0 : 0x80) | tag, content)
}

export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const octets = [value & 0x7f]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift((rest & 0x7f) | 0x80)
  return octets
}

/** UTCTime up to 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits))
}
