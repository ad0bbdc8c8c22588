import { CR, EMPTY, LF, SPACE, TAB } from '../bytes.ts'
import { beginsLikeDelimiter, boundaryOf, MAX_BOUNDARY_OCTETS, OpenBoundaries, type Bounded } from './boundary.ts'
import type { ContentDecoder } from './encoding/decoder.ts'
import { DefectLog, type Description, type EntityFacts } from './entity.ts'
import { HeaderScanner, type HeaderEnd } from './header-scanner.ts'
import { EMPTY_MARKS } from './header.ts'
import { InputWindow } from './input-window.ts'
import type { CheckedParseOptions } from './limits.ts'

/**
 * One step through a message. `open` comes with the whole header section; between it and `close` lie the content of a leaf, still encoded, or other
 * entities. `preamble` are the octets of a multipart before its first part, its delimiter lines included: of one that never has a part, the whole body. Where
 * the whole message is in memory, neither octets are handed on: an entity knows its place.
 */
export type Token<E> =
  | { readonly type: 'open'; readonly entity: E }
  | { readonly type: 'content'; readonly octets: Buffer }
  | { readonly type: 'preamble'; readonly octets: Buffer; readonly delimiter: boolean }
  | { readonly type: 'close'; readonly entity: E }

interface Level<E> extends Bounded {
  readonly entity: E
  /** An enclosed message has no boundary of its own. */
  readonly multipart: boolean
  parts: number
  delimiterSeen: boolean
  closed: boolean
  contentAfterClose: boolean
}

/** What a message and the encoded messages in it have in common. */
interface Shared<E> {
  readonly options: CheckedParseOptions
  readonly log: DefectLog
  readonly create: (facts: EntityFacts<E>) => E
  /** Everything comes in one push, and stays in memory. */
  readonly whole: boolean
  enclosed: 'open' | 'leaf'
  parts: number
  headerOctets: number
}

/** Where an encoded message hangs. */
interface Enclosure<E> {
  readonly entity: E
  /** Encoded messages around this one. */
  readonly level: number
}

const NEEDLE = Buffer.from('\n--')
/** Messages inside messages that are decoded on the way: each one more costs the octets of all within it again. */
const MAX_ENCODED_LEVELS = 5
const HYPHEN = 0x2d

/**
 * Takes a message apart (RFC 5322, RFC 2046): `push` octets as they arrive, then take `next` until it is `undefined`. What it finds does not depend on
 * how the octets are cut. Octets in tokens are views, valid until the next `push`. It never throws for what a sender wrote, but with `strict`
 * or `onLimit: 'error'`.
 */
export class MimeTokenizer<E extends Description> {
  readonly #shared: Shared<E>
  readonly #enclosure: Enclosure<E> | undefined
  readonly #boundaries = new OpenBoundaries<Level<E>>()
  readonly #stack: Level<E>[] = []
  readonly #tokens: Token<E>[] = []
  #taken = 0

  readonly #input: InputWindow
  #final = false
  #source: Buffer | null = null
  #received = 0
  /** Past `messageBytes`: what came after it. */
  #beyond: Buffer | undefined

  #state: 'header' | 'descend' | 'body' | 'done' = 'header'
  #scanner: HeaderScanner | undefined
  #sectionStart = 0
  /** The innermost open entity that is not on the stack: a leaf, or a message that is being decoded. */
  #leaf: E | undefined
  /** `#at` is the first octet of a body, or of what follows a delimiter. */
  #lineStart = true
  /** Nothing ends the leaf any more but the end. */
  #rest = false
  /** An enclosed message that may be taken apart. */
  #enclosing: E | undefined
  #nested: MimeTokenizer<E> | undefined
  #decoder: ContentDecoder | undefined
  #decoded: Buffer[] = []

  private constructor(shared: Shared<E>, enclosure: Enclosure<E> | undefined) {
    this.#shared = shared
    this.#enclosure = enclosure
    this.#input = new InputWindow(!shared.whole)
  }

  static create<E extends Description>(options: CheckedParseOptions, create: (facts: EntityFacts<E>) => E, whole: boolean): MimeTokenizer<E> {
    const log = new DefectLog(options)
    return new MimeTokenizer<E>({ options, log, create, whole, enclosed: 'open', parts: 0, headerOctets: 0 }, undefined)
  }

  /** Whether enclosed messages are taken apart. Counts for those that are not settled yet. */
  set enclosed(how: 'open' | 'leaf') {
    this.#shared.enclosed = how
  }

  /** `final`: nothing comes after it. Only when `next` gave `undefined`. */
  push(chunk: Buffer, final = false): void {
    const { messageBytes } = this.#shared.options.limits
    if (this.#shared.whole) this.#source = chunk
    this.#final = final
    let part = chunk
    if (this.#enclosure === undefined && !this.#rest && this.#received + chunk.length > messageBytes) {
      const length = messageBytes - this.#received
      this.#beyond = chunk.subarray(length)
      part = chunk.subarray(0, length)
    }
    this.#received += chunk.length
    this.#input.extend(part)
  }

  /** The next token, or `undefined` when more octets are needed. After the final push, `undefined` is the end. */
  next(): Token<E> | undefined {
    for (;;) {
      if (this.#nested !== undefined) {
        const nested = this.#nested.next()
        if (nested !== undefined) return nested
        if (this.#nested.#state === 'done') this.#nested = undefined
      }
      const token = this.#tokens[this.#taken]
      if (token !== undefined) {
        this.#taken++
        return token
      }
      if (this.#taken > 0) {
        this.#tokens.length = 0
        this.#taken = 0
      }
      if (!this.#step()) {
        this.#input.keep()
        return undefined
      }
    }
  }

  /** Decides whether the enclosed message just opened is taken apart; `next` does so too. From then on its `kind` is final. */
  settle(): void {
    if (this.#nested !== undefined) this.#nested.settle()
    else if (this.#state === 'descend') this.#descend()
  }

  /** `false`: nothing more can be done with what is there. */
  #step(): boolean {
    const last = this.#final || this.#beyond !== undefined
    switch (this.#state) {
      case 'done':
        return false
      case 'descend':
        this.#descend()
        return true
      case 'header':
        if (this.#header(last)) return true
        break
      case 'body':
        if (this.#body(last)) return true
        break
    }
    if (this.#beyond !== undefined) {
      const rest = this.#beyond
      this.#beyond = undefined
      this.#beginRest('message-limit')
      this.#input.extend(rest)
      return true
    }
    if (!this.#final) return false
    this.#finish()
    return true
  }

  // ── header sections ──

  #header(final: boolean): boolean {
    const { limits } = this.#shared.options
    const parent = this.#stack.at(-1)
    const root = parent === undefined || !parent.multipart
    if (this.#scanner === undefined) {
      const limit = Math.min(limits.headerBytes, Math.max(0, limits.totalHeaderBytes - this.#shared.headerOctets))
      this.#scanner = new HeaderScanner(this.#boundaries, limit, root)
      this.#sectionStart = this.#input.offset(this.#input.at)
    }
    const end = this.#scanner.scan(this.#input.octets, this.#input.at, final)
    if (end === undefined) {
      this.#input.at += this.#scanner.release()
      return false
    }
    this.#scanner = undefined
    this.#input.at = end.bodyStart
    this.#lineStart = true
    if (!root && (end.by === 'delimiter' || end.by === 'end') && this.#input.offset(end.bodyStart) === this.#sectionStart) {
      // Not even a line end between two delimiters: RFC 2046 §5.1.1 has no part there.
      parent.entity.report('empty-part', this.#sectionStart)
      this.#state = 'body'
      return true
    }
    this.#shared.headerOctets += end.octets.length
    this.#openEntity(end, root)
    return true
  }

  #openEntity(end: HeaderEnd, root: boolean): void {
    const parent = this.#stack.at(-1)
    const entity = this.#create(this.#shared.whole ? end.octets : Buffer.from(end.octets), end.marks, this.#input.offset(end.bodyStart))
    for (const { code, at } of end.defects) entity.report(code, this.#sectionStart + at)
    if (root && end.marks.length === 0) entity.report('empty-header', this.#sectionStart)
    if (parent !== undefined) parent.parts++
    this.#tokens.push({ type: 'open', entity })
    if (this.#beyond !== undefined && end.by === 'end' && parent === undefined && (entity.isMultipart || entity.isMessage)) {
      // The limit lies in the header section.
      entity.kind = 'opaque'
    } else if (entity.isMultipart) {
      this.#openMultipart(entity)
      return
    } else if (entity.isMessage && entity.knowsEncoding) {
      entity.kind = 'message'
      this.#enclosing = entity
      this.#state = 'descend'
      return
    }
    this.#openLeaf(entity)
  }

  #create(octets: Buffer, marks: readonly number[], bodyStart: number): E {
    const { create, log } = this.#shared
    const level = this.#stack.at(-1)
    const parent = level?.entity ?? this.#enclosure?.entity ?? null
    if (parent !== null) this.#shared.parts++
    const position = (level?.parts ?? 0) + 1
    return create({
      parent,
      depth: parent === null ? 0 : parent.depth + 1,
      source: this.#source,
      octets,
      marks,
      start: this.#sectionStart,
      bodyStart,
      defaultType: level?.multipart === true && level.entity.mediaType.type === 'multipart/digest' ? 'message/rfc822' : 'text/plain',
      number: (multipart) => {
        if (parent === null) return ''
        if (level?.multipart === true) return parent.section === '' ? `${position}` : `${parent.section}.${position}`
        // The message itself, when it is one leaf, is part 1 of itself.
        const own = parent.section === '' ? '1' : parent.section
        return multipart ? own : `${own}.1`
      },
      log,
    })
  }

  #openMultipart(entity: E): void {
    const found = boundaryOf(entity.parameters)
    const at = entity.header.first('content-type')?.offset ?? entity.start
    entity.kind = 'opaque'
    if (entity.depth > this.#shared.options.limits.depth) entity.report('depth-limit', at)
    else if (found === null) entity.report('missing-boundary-parameter', at)
    else if (found.boundary.length > MAX_BOUNDARY_OCTETS) entity.report('boundary-too-long', at)
    else {
      const { boundary, trimmed } = found
      if (trimmed) entity.report('boundary-trimmed', at)
      if (this.#boundaries.has(boundary)) entity.report('duplicate-boundary', at)
      entity.kind = 'multipart'
      entity.doubtful = this.#boundaries.resembles(boundary)
      const level = this.#level(entity, boundary, true)
      this.#boundaries.open(level)
      this.#state = 'body'
      return
    }
    this.#openLeaf(entity)
  }

  #level(entity: E, boundary: string, multipart: boolean): Level<E> {
    const level = { entity, boundary, multipart, parts: 0, delimiterSeen: false, closed: false, contentAfterClose: false }
    this.#stack.push(level)
    return level
  }

  #openLeaf(entity: E): void {
    this.#leaf = entity
    this.#state = 'body'
  }

  #descend(): void {
    const entity = this.#enclosing
    if (entity === undefined) return
    this.#enclosing = undefined
    const { limits } = this.#shared.options
    const decoder = entity.decoder()
    const nesting = (this.#enclosure?.level ?? 0) + 1
    if (this.#shared.enclosed === 'leaf') entity.kind = 'leaf'
    else if (entity.depth > limits.depth || (decoder !== null && nesting > MAX_ENCODED_LEVELS)) {
      entity.kind = 'opaque'
      entity.report('depth-limit', entity.start)
    } else if (this.#shared.parts >= limits.parts) {
      entity.kind = 'opaque'
      entity.report('parts-limit', entity.start)
    } else if (decoder === null) {
      this.#level(entity, '', false)
      this.#state = 'header'
      return
    } else {
      entity.report('encoded-message', entity.bodyStart)
      this.#decoder = decoder
      this.#nested = new MimeTokenizer<E>(this.#shared, { entity, level: nesting })
    }
    this.#openLeaf(entity)
  }

  // ── bodies ──

  /** Reads on until a delimiter; `false`: more octets are needed. */
  #body(final: boolean): boolean {
    const window = this.#input.octets
    const start = this.#input.at
    if (this.#rest || this.#boundaries.size === 0) {
      this.#emit(start, window.length)
      return start < window.length
    }
    for (let from = start; ;) {
      let line = from
      if (!this.#lineStart || from > start) {
        const lineEnd = window.indexOf(NEEDLE, from)
        if (lineEnd === -1) return this.#holdBack(final)
        line = lineEnd + 1
      } else if (line >= window.length) return false
      const like = beginsLikeDelimiter(window, line, final)
      if (like === undefined) return false
      if (like) {
        const match = this.#boundaries.match(window, line, final)
        if (match.type === 'more') {
          const end = this.#lineEndBefore(line)
          this.#emit(start, end)
          return end > start
        }
        if (match.type === 'delimiter') {
          this.#delimiter(match.level, match.close, line, match.next)
          return true
        }
        if (this.#boundaries.near) this.#container?.report('near-boundary', this.#input.offset(line))
      }
      from = line + (like ? 2 : 0)
      if (from === start) {
        // Not a line that begins with hyphens: its own line end may come right away.
        this.#lineStart = false
      }
    }
  }

  /** No delimiter begins in the window, but in its last octets one might. */
  #holdBack(final: boolean): boolean {
    const window = this.#input.octets
    let end = window.length
    if (!final) {
      if (window[end - 1] === HYPHEN && window[end - 2] === LF && end - 2 >= this.#input.at) end -= 2
      else if (window[end - 1] === LF || window[end - 1] === CR) end--
      if (end < window.length && window[end] === LF && window[end - 1] === CR && end > this.#input.at) end--
    }
    const some = end > this.#input.at
    this.#emit(this.#input.at, end)
    return some
  }

  /** Where the line end before the line at `line` begins: it belongs to the delimiter (RFC 2046 §5.1.1). */
  #lineEndBefore(line: number): number {
    let end = line
    if (end > this.#input.at && this.#input.octets[end - 1] === LF) end--
    if (end < line && end > this.#input.at && this.#input.octets[end - 1] === CR) end--
    return end
  }

  /** What the octets at hand belong to. */
  get #container(): E | undefined {
    return this.#leaf ?? this.#stack.at(-1)?.entity
  }

  /** Hands on what the window has up to `end`. */
  #emit(from: number, end: number): void {
    if (end <= from) return
    this.#input.at = end
    this.#lineStart = false
    const level = this.#stack.at(-1)
    // In memory, octets are found by their place.
    if (this.#shared.whole && this.#decoder === undefined && (this.#leaf !== undefined || level?.parts === 0)) return
    const octets = this.#input.octets.subarray(from, end)
    if (this.#leaf !== undefined) {
      if (this.#decoder === undefined) this.#tokens.push({ type: 'content', octets })
      else this.#feed(this.#decoder, this.#leaf, octets)
    } else if (level === undefined) return
    else if (level.parts === 0) this.#tokens.push({ type: 'preamble', octets, delimiter: false })
    else if (level.closed && !level.contentAfterClose) {
      const at = firstNotBlank(octets)
      if (at === -1) return
      level.contentAfterClose = true
      level.entity.report('content-after-close', this.#input.offset(from + at))
    }
  }

  #delimiter(level: Level<E>, close: boolean, line: number, next: number): void {
    const end = this.#lineEndBefore(line)
    this.#emit(this.#input.at, end)
    const at = this.#input.offset(line)
    this.#closeInside(level, this.#input.offset(end), at)
    if (level.parts === 0 && !this.#shared.whole)
      this.#tokens.push({ type: 'preamble', octets: this.#input.octets.subarray(end, next), delimiter: true })
    level.delimiterSeen = true
    this.#input.at = next
    this.#lineStart = true
    if (close) {
      level.closed = true
      this.#boundaries.close(level)
    } else if (this.#shared.parts >= this.#shared.options.limits.parts) this.#beginRest('parts-limit')
    else this.#state = 'header'
  }

  /** Closes the leaf and all levels inside `level`, which ends them at `end` by its delimiter at `at`. */
  #closeInside(level: Level<E> | undefined, end: number, at: number): void {
    if (this.#leaf !== undefined) this.#closeLeaf(this.#leaf, end)
    for (let inner = this.#stack.at(-1); inner !== undefined && inner !== level; inner = this.#stack.at(-1)) {
      if (inner.multipart && !inner.closed && !this.#rest) {
        const { entity } = inner
        if (!inner.delimiterSeen) entity.report('boundary-never-seen', entity.bodyStart)
        else entity.report(level === undefined ? 'missing-close-boundary' : 'implicit-close', at)
      }
      if (inner.multipart) this.#boundaries.close(inner)
      this.#stack.pop()
      this.#close(inner.entity, end)
    }
  }

  #closeLeaf(leaf: E, end: number): void {
    if (this.#decoder !== undefined && this.#nested !== undefined) {
      const last = this.#decoder.end((code, offset) => leaf.report(code, leaf.bodyStart + offset))
      // One buffer, so that raw octets can be views of it.
      this.#nested.push(this.#decoded.length === 0 ? last : Buffer.concat([...this.#decoded, last]), true)
      this.#decoded = []
      this.#decoder = undefined
    }
    this.#leaf = undefined
    this.#close(leaf, end)
  }

  #close(entity: E, end: number): void {
    // A delimiter right behind the header section has its line end there.
    entity.end = Math.max(end, entity.bodyStart)
    this.#tokens.push({ type: 'close', entity })
  }

  /** Octets of an encoded message. */
  #feed(decoder: ContentDecoder, entity: E, octets: Buffer): void {
    const decoded = decoder.decode(octets, (code, offset) => entity.report(code, entity.bodyStart + offset))
    if (this.#shared.whole) this.#decoded.push(decoded)
    else this.#nested?.push(decoded)
  }

  // ── the end ──

  /** What follows is one leaf, whatever it is. */
  #beginRest(code: 'parts-limit' | 'message-limit'): void {
    const level = this.#stack.findLast((candidate) => candidate.multipart)
    const end = this.#input.offset(this.#input.at)
    if (level === undefined) {
      // No delimiter can come any more: what is open simply goes on.
      this.#container?.report(code, end)
      this.#rest = true
      return
    }
    this.#rest = true
    this.#closeInside(level, end, end)
    this.#sectionStart = end
    const entity = this.#create(EMPTY, EMPTY_MARKS, end)
    level.parts++
    entity.kind = 'rest'
    entity.report(code, end)
    this.#tokens.push({ type: 'open', entity })
    this.#openLeaf(entity)
  }

  #finish(): void {
    const end = this.#input.offset(this.#input.at)
    this.#closeInside(undefined, end, end)
    this.#state = 'done'
  }
}

function firstNotBlank(octets: Buffer): number {
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at]
    if (octet !== CR && octet !== LF && octet !== SPACE && octet !== TAB) return at
  }
  return -1
}
