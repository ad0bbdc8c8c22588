import { asBuffer, EMPTY, NUL } from '../bytes.ts'
import { decodeText } from './charset/decode.ts'
import { safeFileName } from './file-name.ts'
import { checkLimits } from './limits.ts'

/** What Outlook puts into one part, `winmail.dat` of type application/ms-tnef (MS-OXTNEF), instead of MIME. */
export interface Winmail {
  readonly subject: string | null
  readonly text: string | null
  readonly html: string | null
  /** Rich text as it was sent, compressed (MS-OXRTFCP); a view. */ readonly compressedRtf: Buffer | null
  readonly attachments: readonly WinmailAttachment[]
  /** Of this message, not of one enclosed in it. At most 1,000. */ readonly defects: readonly WinmailDefect[]
}

export interface WinmailAttachment {
  /** As the sender gave it. Not fit for a file system: see `safeFileName`. */ readonly fileName: string | null
  /** Fit for any file system, at most 200 octets; `null` when there is no name. */ readonly safeFileName: string | null
  /** Lower case; 'application/octet-stream' when nothing usable was said. */ readonly type: string
  /** Without angle brackets. */ readonly contentId: string | null
  /** A view of the octets that were opened. */ readonly content: Buffer
  /** An enclosed Outlook message, which `content` holds as TNEF. */ readonly message: Winmail | null
}

export interface WinmailDefect {
  readonly code: (typeof CODES)[number]
  /** From the start of the octets that were opened, in an enclosed message too. */ readonly offset: number
}

/** How much is taken apart, enclosed messages included. What is past a limit stays in the octets, and the defect `tnef-limit` says where. */
export interface WinmailLimits {
  /** Of enclosed messages. @default 5 */ depth: number
  /** @default 1_000 */ attachments: number
  /** Values of properties. @default 100_000 */ properties: number
  /** Octets of content and text together; what is enclosed counts once for each message around it. @default 256 MiB */ bytes: number
}

const DEFAULT_LIMITS: WinmailLimits = { depth: 5, attachments: 1000, properties: 100_000, bytes: 256 * 1024 * 1024 }
const MAX_DEFECTS = 1000

const CODES = [
  'tnef-signature', // It does not begin as TNEF does: nothing is read.
  'tnef-truncated', // A length reaches past the end: what is there is read.
  'tnef-checksum', // Octets are not those that the sender summed up: they are read all the same.
  'tnef-attribute', // No attribute: nothing says where the next begins, so the rest is not read.
  'tnef-property', // A type of property that nobody knows: the rest of its attribute is not read.
  'tnef-duplicate', // A second value: the first counts.
  'tnef-charset', // Octets that mean nothing in the code page that was named, or one that nobody knows.
  'tnef-limit', // A limit was reached.
] as const

/** Opens a `winmail.dat`. Nothing is ever thrown for its octets: defects say what is wrong, and what could be read is there. Fails with
 *  `ERR_OPTION` for limits that are none. */
export function openWinmail(octets: Uint8Array, options: { readonly limits?: Partial<WinmailLimits> | undefined } = {}): Winmail {
  const limits = checkLimits(DEFAULT_LIMITS, options.limits)
  return openMessage({ view: asBuffer(octets), offset: 0 }, limits.depth, limits)
}

const SIGNATURE = 0x22_3e_9f_78
const MESSAGE_LEVEL = 1
const ATTACHMENT_LEVEL = 2
/** Attributes (MS-OXTNEF §2.1.3.3): the low half of what names them; the high half is a type that follows from it. */
const ATTRIBUTE = { subject: 0x8004, body: 0x800c, content: 0x800f, title: 0x8010, codepage: 0x9007 } as const
const ATTACHMENT_START = 0x9002
const PROPERTY_BLOCKS = new Set([0x9003, 0x9005]) // of the message, of an attachment
/** Properties (MS-OXPROPS). Those from 8000 on have names and are passed over, so attributes and properties share one map. */
const OF_MESSAGE = { subject: 0x0037, body: 0x1000, rtf: 0x1009, html: 0x1013, codepage: 0x3fde } as const
const OF_ATTACHMENT = { displayName: 0x3001, content: 0x3701, shortName: 0x3704, longName: 0x3707, type: 0x370e, contentId: 0x3712 } as const
const KEPT = new Set<number>([ATTRIBUTE, OF_MESSAGE, OF_ATTACHMENT].flatMap((ids) => Object.values(ids)))
const NAMED = 0x8000

/** Types of values (MS-OXCDATA §2.11.1). */
const OBJECT = 0x0d
const STRING8 = 0x1e
const UNICODE = 0x1f
const BINARY = 0x102
const MULTI_VALUED = 0x1000
const OBJECT_KIND = 16 // octets of an interface's name before an object
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/

/** Octets of a value by its type, those of 16 bits padded to four; 0 where the value says how many. */
const LENGTHS = new Map(Object.entries({ 2: 4, 3: 4, 4: 4, 10: 4, 11: 4, 5: 8, 6: 8, 7: 8, 20: 8, 64: 8, 72: 16, 13: 0, 30: 0, 31: 0, 258: 0 }))

/** Octets, and where they lie in all that were opened. */
type Range = { readonly view: Buffer; readonly offset: number }
type Value = Range & { readonly type: number }
type Values = Map<number, Value>
const NOTHING: Value = { view: EMPTY, offset: 0, type: BINARY }
type Report = (code: WinmailDefect['code'], offset: number) => void

/** Reads a range from its start to its end, never past it. */
class Cursor {
  rest: Buffer
  at: number
  /** More was asked for than there is. */ truncated = false

  constructor({ view, offset }: Range) {
    this.rest = view
    this.at = offset
  }

  number(length: 1 | 2 | 4): number {
    const { view } = this.take(length)
    return view.length < length ? 0 : view.readUIntLE(0, length)
  }

  take(length: number): Range {
    const range = { view: this.rest.subarray(0, length), offset: this.at }
    this.truncated ||= range.view.length < length
    this.rest = this.rest.subarray(length)
    this.at += range.view.length
    return range
  }
}

/** `left` is what the limits leave; messages enclosed in this one take from it too. */
function openMessage(range: Range, depth: number, left: WinmailLimits): Winmail {
  const cursor = new Cursor(range)
  const defects: WinmailDefect[] = []
  const report: Report = (code, offset) => {
    if (defects.length < MAX_DEFECTS) defects.push({ code, offset })
  }
  const keep = (values: Values, id: number, value: Value): void => {
    if (!KEPT.has(id)) return
    if (values.has(id)) report('tnef-duplicate', value.offset)
    else if (value.view.length > left.bytes) report('tnef-limit', value.offset)
    else {
      left.bytes -= value.view.length
      values.set(id, value)
    }
  }
  const message: Values = new Map()
  const attachments: Values[] = []
  if (cursor.number(4) !== SIGNATURE) {
    report('tnef-signature', range.offset)
    cursor.take(cursor.rest.length)
  }
  cursor.take(2) // a key that nobody uses
  while (cursor.rest.length > 0) {
    const offset = cursor.at
    const level = cursor.number(1)
    const id = cursor.number(4) & 0xffff
    if (level !== MESSAGE_LEVEL && level !== ATTACHMENT_LEVEL) {
      report('tnef-attribute', offset)
      break
    }
    const data = cursor.take(cursor.number(4))
    const checksum = cursor.number(2)
    if (cursor.truncated) report('tnef-truncated', offset)
    else if (sum(data.view) !== checksum) report('tnef-checksum', offset)
    if (level === ATTACHMENT_LEVEL && (id === ATTACHMENT_START || attachments.length === 0)) {
      if (left.attachments === 0) {
        report('tnef-limit', offset)
        break
      }
      left.attachments--
      attachments.push(new Map())
    }
    const values = level === MESSAGE_LEVEL ? message : (attachments.at(-1) ?? message)
    if (PROPERTY_BLOCKS.has(id)) {
      readProperties(new Cursor(data), left, report, (property, value) => keep(values, property, value))
    } else keep(values, id, { ...data, type: id === ATTRIBUTE.content ? BINARY : STRING8 })
  }

  const codepage = numberOf(message.get(ATTRIBUTE.codepage))
  const text = (values: Values, ...ids: number[]): string | null => {
    const value = ids.map((id) => values.get(id)).find((candidate) => candidate !== undefined && candidate.view.length > 0)
    if (value === undefined) return null
    const octetCodepage = value.type === BINARY ? (numberOf(message.get(OF_MESSAGE.codepage)) ?? codepage) : codepage
    const decoded = decodeText(value.view, value.type === UNICODE ? 'utf-16le' : octetCodepage, () => report('tnef-charset', value.offset))
    let end = decoded.length
    while (decoded.charCodeAt(end - 1) === NUL) end--
    return decoded.slice(0, end)
  }
  const openAttachment = (values: Values): WinmailAttachment => {
    const object = values.get(OF_ATTACHMENT.content) ?? NOTHING
    const isObject = object.type === OBJECT
    const inner = isObject ? { view: object.view.subarray(OBJECT_KIND), offset: object.offset + OBJECT_KIND } : object
    const isMessage = isObject && new Cursor(inner).number(4) === SIGNATURE
    if (isMessage && depth === 0) report('tnef-limit', inner.offset)
    const data = values.get(ATTRIBUTE.content)?.view ?? EMPTY
    const fileName = text(values, OF_ATTACHMENT.longName, ATTRIBUTE.title, OF_ATTACHMENT.shortName, OF_ATTACHMENT.displayName)
    const type = text(values, OF_ATTACHMENT.type)?.toLowerCase() ?? ''
    return {
      fileName,
      safeFileName: fileName === null ? null : safeFileName(fileName),
      type: MEDIA_TYPE.test(type) ? type : isMessage ? 'application/ms-tnef' : 'application/octet-stream',
      contentId: text(values, OF_ATTACHMENT.contentId)?.replace(/^<(.*)>$/s, '$1') ?? null,
      content: isMessage || data.length === 0 ? inner.view : data,
      message: isMessage && depth > 0 ? openMessage(inner, depth - 1, left) : null,
    }
  }
  return {
    subject: text(message, OF_MESSAGE.subject, ATTRIBUTE.subject),
    text: text(message, OF_MESSAGE.body, ATTRIBUTE.body),
    html: text(message, OF_MESSAGE.html),
    compressedRtf: message.get(OF_MESSAGE.rtf)?.view ?? null,
    attachments: attachments.map(openAttachment),
    defects,
  }
}

/** Reads a block of properties (MS-OXTNEF §2.1.3.4). Counts are the sender's word: each value takes octets, and where these end it ends. */
function readProperties(cursor: Cursor, left: WinmailLimits, report: Report, keep: (id: number, value: Value) => void): void {
  for (let count = cursor.number(4); count > 0; count--) {
    const offset = cursor.at
    const type = cursor.number(2)
    const id = cursor.number(2)
    if (id >= NAMED) {
      cursor.take(16)
      const isText = cursor.number(4) === 1
      const length = isText ? cursor.number(4) : 4
      cursor.take(length + (-length & 3))
    }
    const single = type & ~MULTI_VALUED
    const length = LENGTHS.get(`${single}`)
    const isVariable = length === 0
    if (!cursor.truncated && length === undefined) return report('tnef-property', offset)
    for (let values = isVariable || single !== type ? cursor.number(4) : 1; values > 0 && !cursor.truncated; values--) {
      if (left.properties === 0) return report('tnef-limit', offset)
      left.properties--
      const octets = length || cursor.number(4)
      const value = cursor.take(octets)
      cursor.take(Math.min(cursor.rest.length, -octets & 3))
      if (id < NAMED && (isVariable || id === OF_MESSAGE.codepage)) keep(id, { ...value, type: single })
    }
    if (cursor.truncated) return report('tnef-truncated', offset)
  }
}

function sum(octets: Buffer): number {
  let total = 0
  for (let at = 0; at < octets.length; at++) total = (total + (octets[at] ?? 0)) & 0xffff
  return total
}

const numberOf = (value: Value | undefined): string | null => (value === undefined || value.view.length < 4 ? null : `${value.view.readUInt32LE(0)}`)
