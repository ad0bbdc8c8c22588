import { EMPTY } from '../bytes.ts'
import { boundaryOf, lineEndBefore, MAX_BOUNDARY_OCTETS, OpenBoundaries, type Delimiter } from './boundary.ts'
import type { DefectLog, Description, EntityFacts } from './entity.ts'
import { isBlank } from './field/scan.ts'
import { HeaderScanner, type HeaderEnd } from './header-scanner.ts'
import type { Marks } from './header.ts'
import { InputWindow } from './input-window.ts'
import type { CheckedParseOptions } from './limits.ts'

/** One step through a message. `open` comes with the whole header section; between it and `close` lie the content of a leaf, still encoded, or other
 *  entities. Content of a multipart is what stands before its first part, delimiter lines included: of one that never has a part, the whole body. */
export type Token<E> =
  | { readonly type: 'open' | 'close'; readonly entity: E }
  | { readonly type: 'content'; readonly octets: Buffer; readonly isDelimiter: boolean }

/** What a message and the encoded messages in it have in common. */
interface Shared<E> extends DefectLog {
  readonly create: (facts: EntityFacts<E>) => E
  /** Everything comes in one push and stays in memory: there are no tokens, an entity knows its place. */ readonly whole: boolean
  enclosed: 'open' | 'leaf' | undefined
  parts: number
  headerOctets: number
}

const MESSAGE_TYPES = new Set(['message/rfc822', 'message/global'])
const MAX_DEFECTS = 10_000 // so many are kept for a message
/** Messages inside messages that are decoded on the way: each one more costs the octets of all within it again. */
const MAX_ENCODED_LEVELS = 5

/** Takes a message apart (RFC 5322, RFC 2046): `push` octets as they arrive, then take `next` until it is `undefined`. What it finds does not depend
 *  on how the octets are cut. Octets in tokens are views, valid until the next `push`. It never throws for what a sender wrote, but with `strict` or
 *  `onLimit: 'error'`. */
export class MimeTokenizer<E extends Description> {
  readonly #shared: Shared<E>
  /** What this message is enclosed in, encoded, and how many such are around it. */ readonly #around: E | null
  readonly #nesting: number
  readonly #boundaries = new OpenBoundaries<E>()
  /** Open multiparts, and messages in parts. */ readonly #stack: E[] = []
  readonly #tokens: Token<E>[] = []

  readonly #input = new InputWindow()
  #final = false
  #source: Buffer | null = null
  /** Past `messageBytes`: what came after it. */ #beyond: Buffer | undefined

  #state: 'header' | 'body' | 'done' = 'header'
  #scanner: HeaderScanner | undefined
  #sectionStart = 0
  /** The innermost open entity that is not on the stack: a leaf, or a message that is being decoded. */ #leaf: E | undefined
  /** An enclosed message in a transfer encoding: what takes it apart, and what decodes its octets for that, `null` at their end. */
  #encoded: { readonly tokenizer: MimeTokenizer<E>; readonly feed: (octets: Buffer | null) => void } | undefined
  /** The first octet of the input is the first of a body, or of what follows a delimiter. */ #atLineStart = true
  /** Nothing ends the leaf any more but the end. */ #rest = false

  private constructor(shared: Shared<E>, around: E | null, nesting: number) {
    this.#shared = shared
    this.#around = around
    this.#nesting = nesting
  }

  static create<E extends Description>(options: CheckedParseOptions, create: (facts: EntityFacts<E>) => E, whole: boolean): MimeTokenizer<E> {
    const enclosed = whole ? 'open' : undefined
    return new MimeTokenizer<E>({ options, left: MAX_DEFECTS, create, whole, enclosed, parts: 0, headerOctets: 0 }, null, 0)
  }

  /** Whether enclosed messages are taken apart: in a stream to be said once, when the header section of the outermost is there. */
  set enclosed(how: 'open' | 'leaf') {
    this.#shared.enclosed = how
    if (this.#leaf?.kind === 'message') this.#descend(this.#leaf)
  }

  /** `final`: nothing comes after it. Only when `next` gave `undefined`. */
  push(chunk: Buffer, final = false): void {
    if (this.#shared.whole) this.#source = chunk
    this.#final = final
    const limit = this.#around === null && !this.#rest ? this.#shared.options.limits.messageBytes : Number.POSITIVE_INFINITY
    const left = limit - this.#input.offset(this.#input.octets.length)
    if (chunk.length > left) this.#beyond = chunk.subarray(left)
    this.#input.extend(chunk.subarray(0, left))
  }

  /** The next token, or `undefined` when more octets are needed. After the final push, `undefined` is the end. */
  next(): Token<E> | undefined {
    for (;;) {
      const inner = this.#encoded?.tokenizer
      const token = inner?.next() ?? this.#tokens.shift()
      if (token !== undefined) return token
      if (inner !== undefined && inner.#state === 'done') this.#encoded = undefined
      if (!this.#step()) {
        this.#input.keep()
        return undefined
      }
    }
  }

  /** `false`: nothing more can be done with what is there. */
  #step(): boolean {
    if (this.#state === 'done') return false
    const last = this.#final || this.#beyond !== undefined
    if (this.#state === 'header' ? this.#header(last) : this.#body(last)) return true
    if (this.#beyond !== undefined) {
      if (!this.#rest) this.#beginRest('message-limit')
      this.#input.extend(this.#beyond)
      this.#beyond = undefined
      return true
    }
    if (!this.#final) return false
    const end = this.#input.offset(this.#input.at)
    this.#closeInside(undefined, end, end)
    this.#state = 'done'
    return true
  }

  #emit(token: Token<E>): void {
    if (!this.#shared.whole) this.#tokens.push(token)
  }

  #header(final: boolean): boolean {
    const { limits } = this.#shared.options
    const input = this.#input
    const multipart = this.#innermost?.kind === 'multipart' ? this.#innermost : undefined
    if (this.#scanner === undefined) {
      // Only now: what is enclosed before it has been counted, however the octets were cut.
      if (multipart !== undefined && this.#shared.parts >= limits.parts) {
        this.#beginRest('parts-limit')
        return true
      }
      const limit = Math.min(limits.headerBytes, Math.max(0, limits.totalHeaderBytes - this.#shared.headerOctets))
      this.#scanner = new HeaderScanner(this.#boundaries, limit, multipart === undefined)
      this.#sectionStart = input.offset(input.at)
    }
    const end = this.#scanner.scan(input.octets.subarray(input.at), final)
    if (end === undefined) {
      input.at += this.#scanner.release()
      return false
    }
    this.#scanner = undefined
    input.at += end.bodyStart
    this.#atLineStart = true
    this.#state = 'body'
    if (multipart !== undefined && (end.by === 'delimiter' || end.by === 'end') && input.offset(input.at) === this.#sectionStart) {
      // Not even a line end between two delimiters: RFC 2046 §5.1.1 has no part there.
      multipart.report('empty-part', this.#sectionStart)
      return true
    }
    this.#shared.headerOctets += end.octets.length
    this.#openEntity(end, multipart === undefined)
    return true
  }

  #openEntity(end: HeaderEnd, root: boolean): void {
    const outermost = this.#stack.length === 0
    const entity = this.#create(this.#shared.whole ? end.octets : Buffer.from(end.octets), end.marks, this.#input.offset(this.#input.at))
    for (const { code, offset } of end.defects.found) entity.report(code, this.#sectionStart + offset)
    if (root && end.marks.length === 0) entity.report('empty-header', this.#sectionStart)
    this.#leaf = entity
    // Where the limit of the message lies in its header section, nobody knows what it would have been.
    if (this.#beyond !== undefined && end.by === 'end' && outermost) return
    if (entity.isMultipart) this.#openMultipart(entity)
    else if (MESSAGE_TYPES.has(entity.mediaType.type) && entity.knowsEncoding) {
      entity.kind = 'message'
      if (this.#shared.enclosed !== undefined) this.#descend(entity)
    }
  }

  #create(octets: Buffer, marks: Marks, bodyStart: number): E {
    const parent = this.#innermost ?? this.#around
    if (parent !== null) this.#shared.parts++
    const log = this.#shared
    const entity = log.create({ parent, source: this.#source, octets, marks, start: this.#sectionStart, bodyStart, log })
    this.#emit({ type: 'open', entity })
    return entity
  }

  /** Stays one leaf for want of a boundary, or where it is too deep. */
  #openMultipart(entity: E): void {
    const found = boundaryOf(entity.parameters)
    const at = entity.header.first('content-type')?.offset ?? entity.start
    if (entity.depth > this.#shared.options.limits.depth) entity.report('depth-limit', at)
    else if (found === null) entity.report('missing-boundary-parameter', at)
    else if (found.boundary.length > MAX_BOUNDARY_OCTETS) entity.report('boundary-too-long', at)
    else {
      if (found.trimmed) entity.report('boundary-trimmed', at)
      if (this.#boundaries.has(found.boundary)) entity.report('duplicate-boundary', at)
      entity.kind = 'multipart'
      entity.boundary = found.boundary
      this.#boundaries.open(entity)
      this.#enter(entity)
    }
  }

  /** What comes next is in `entity`. */
  #enter(entity: E): void {
    this.#stack.push(entity)
    this.#leaf = undefined
  }

  #descend(entity: E): void {
    const { limits } = this.#shared.options
    const decoder = entity.decoder()
    const isTooDeep = entity.depth > limits.depth || (decoder !== null && this.#nesting === MAX_ENCODED_LEVELS)
    if (this.#shared.enclosed === 'leaf' || isTooDeep || this.#shared.parts >= limits.parts) {
      entity.kind = 'leaf'
      if (this.#shared.enclosed === 'open') entity.report(isTooDeep ? 'depth-limit' : 'parts-limit', entity.start)
    } else if (decoder === null) {
      this.#enter(entity)
      this.#state = 'header'
    } else {
      entity.report('encoded-message', entity.bodyStart)
      const tokenizer = new MimeTokenizer<E>(this.#shared, entity, this.#nesting + 1)
      const report = entity.bodyReport()
      const pieces: Buffer[] = []
      const feed = (octets: Buffer | null): void => {
        pieces.push(octets === null ? decoder.end(report) : decoder.decode(octets, report))
        // In memory its raw octets are to be views of one buffer.
        if (octets === null || !this.#shared.whole) tokenizer.push(Buffer.concat(pieces.splice(0)), octets === null)
      }
      this.#encoded = { tokenizer, feed }
    }
  }

  get #innermost(): E | undefined {
    return this.#stack.at(-1)
  }

  /** Reads on until a delimiter; `false`: more octets are needed. */
  #body(final: boolean): boolean {
    const { octets, at } = this.#input
    const near = (line: number): void => (this.#leaf ?? this.#innermost)?.report('near-boundary', this.#input.offset(line))
    const found = this.#rest ? { end: octets.length, delimiter: null } : this.#boundaries.find(octets, at, this.#atLineStart, final, near)
    if (found.end > at) this.#pass(octets.subarray(at, found.end))
    if (found.delimiter === null) return found.end > at
    this.#delimiter(found.delimiter)
    return true
  }

  /** Hands on the next octets of the input. */
  #pass(octets: Buffer): void {
    const start = this.#input.offset(this.#input.at)
    this.#input.at += octets.length
    this.#atLineStart = false
    const around = this.#innermost
    if (this.#encoded !== undefined) this.#encoded.feed(octets)
    else if (this.#leaf !== undefined || around?.partCount === 0) this.#emit({ type: 'content', octets, isDelimiter: false })
    else if (around !== undefined && around.afterClose >= 0 && !around.hasTrailer) {
      const content = octets.findIndex((octet) => !isBlank(octet))
      if (content === -1) return
      around.hasTrailer = true
      around.report('content-after-close', start + content)
    }
  }

  /** A delimiter line, after a line end that belongs to it. */
  #delimiter({ level, close, line, next }: Delimiter<E>): void {
    const { octets, at } = this.#input
    this.#closeInside(level, this.#input.offset(at), this.#input.offset(line))
    if (level.partCount === 0) this.#emit({ type: 'content', octets: octets.subarray(at, next), isDelimiter: true })
    if (level.firstDelimiter < 0) level.firstDelimiter = this.#input.offset(at)
    this.#input.at = next
    this.#atLineStart = true
    if (close) {
      level.afterClose = this.#input.offset(next)
      level.closeEnd = this.#input.offset(lineEndBefore(octets, line, next))
      this.#boundaries.close(level)
    } else this.#state = 'header'
  }

  /** Closes the leaf and all levels inside `level`, which ends them at `end` by its delimiter at `at`. */
  #closeInside(level: E | undefined, end: number, at: number): void {
    // The line end before a delimiter is part of it (RFC 2046 §5.1.1), also one that has ended a close delimiter or an enclosed header section.
    const last = this.#innermost
    const leaf = this.#leaf
    let innerEnd = end
    if (level !== undefined && last !== undefined && last !== level && end === at) {
      if (last.partCount > 0 && last.afterClose === end) innerEnd = last.closeEnd
      else if (leaf?.bodyStart === end && last.kind === 'message') innerEnd = leaf.bodyStart = leaf.start + leaf.header.octets.length
    }
    if (leaf !== undefined) this.#encoded?.feed(null)
    this.#leaf = undefined
    for (let entity = leaf ?? last; entity !== undefined && entity !== level; entity = this.#innermost) {
      if (entity !== leaf) this.#stack.pop()
      if (entity.kind === 'multipart') {
        this.#boundaries.close(entity)
        if (entity.firstDelimiter < 0 && !this.#rest) entity.report('boundary-never-seen', entity.bodyStart)
        else if (entity.afterClose < 0 && !this.#rest) entity.report(level === undefined ? 'missing-close-boundary' : 'implicit-close', at)
      }
      // A delimiter right behind the header section has its line end there.
      entity.end = Math.max(innerEnd, entity.bodyStart)
      this.#emit({ type: 'close', entity })
    }
  }

  /** What follows is one leaf, whatever it is; where no delimiter can come any more, what is open simply goes on. */
  #beginRest(code: 'parts-limit' | 'message-limit'): void {
    const level = this.#stack.findLast(({ kind }) => kind === 'multipart')
    const end = this.#input.offset(this.#input.at)
    this.#rest = true
    let entity = this.#leaf ?? this.#innermost
    if (level !== undefined) {
      this.#closeInside(level, end, end)
      this.#sectionStart = end
      entity = this.#create(EMPTY, [], end)
      entity.kind = 'rest'
      this.#leaf = entity
      this.#state = 'body'
    }
    entity?.report(code, end)
  }
}
