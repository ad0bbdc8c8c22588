import { asBuffer, CR, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { boundaryOf, OpenBoundaries } from './boundary.ts'
import type { Entity } from './entity.ts'

/**
 * One change to a message that was parsed. What comes in is a whole entity, header section, empty line and body, as `composePart` or the `raw` of
 * another entity gives it; its transfer encoding must be one that the multiparts around it may hold.
 */
export type Edit =
  | { readonly remove: Entity }
  | { readonly replace: Entity; readonly by: Uint8Array }
  /** At the end of a multipart, or before one of its parts. */
  | { readonly add: Uint8Array; readonly to: Entity; readonly before?: Entity | undefined }

/** Octets from `at` to `end` that give way to others. */
type Splice = { readonly at: number; readonly end: number; readonly octets: readonly Uint8Array[] }

/**
 * The octets of a message (or of any entity) with parts replaced, added and removed; everything else stays octet for octet, so that with no edits
 * what was parsed is written back. A signature over what is changed does not survive. Fails with `ERR_OPTION` for edits that do not belong to the
 * message or exclude each other, and with `ERR_CONTENT` where the result would be read as another structure: the only part of a multipart is
 * removed, a new part holds a delimiter of what is around it, or the place is inside a message that was decoded.
 */
export function editMessage(message: Entity, edits: readonly Edit[]): Buffer {
  const editor = new Editor(message, new Set(edits.flatMap((edit) => ('remove' in edit ? [edit.remove] : []))))
  const splices = edits.flatMap((edit) => editor.splice(edit)).toSorted((a, b) => a.at - b.at || a.end - b.end)
  const pieces: Uint8Array[] = []
  let done = 0
  for (const { at, end, octets } of splices) {
    if (at < done) throw wrongEdit('two edits concern the same octets')
    pieces.push(message.raw.subarray(done, at), ...octets)
    done = end
  }
  return Buffer.concat([...pieces, message.raw.subarray(done)])
}

class Editor {
  readonly #octets: Buffer
  readonly #removed: ReadonlySet<Entity>
  readonly #parents = new Map<Entity, Entity>()
  readonly #root: Entity

  constructor(message: Entity, removed: ReadonlySet<Entity>) {
    this.#root = message
    this.#octets = message.raw
    this.#removed = removed
    const stack = [message]
    for (let entity = stack.pop(); entity !== undefined; entity = stack.pop()) {
      for (const part of entity.parts) this.#parents.set(part, entity)
      stack.push(...entity.parts)
    }
  }

  splice(edit: Edit): Splice[] {
    if ('remove' in edit) return this.#remove(edit.remove)
    if ('replace' in edit) {
      const { start, end } = this.#range(edit.replace)
      if (edit.replace.raw.equals(edit.by)) return []
      return [{ at: start, end, octets: [this.#fitting(edit.by, edit.replace), this.#lineEndAt(end, start)] }]
    }
    const { to, before } = edit
    const last = to.parts.at(-1)
    if (last === undefined || !to.type.startsWith('multipart/')) throw contentError('a part is added to a multipart that has parts')
    if (before !== undefined && !to.parts.includes(before)) throw wrongEdit('`before` is no part of `to`')
    // One that goes too is no place to be: the next that stays is.
    const follower = before && to.parts.slice(to.parts.indexOf(before)).find((part) => !this.#removed.has(part))
    const { start, end } = this.#range(follower ?? last)
    const part = this.#fitting(edit.add, last)
    const lineEnd = this.#lineEnd(start)
    const delimiter = Buffer.from(`--${boundaryOf(to.parameters)?.boundary}`, 'latin1')
    if (follower !== undefined) return [{ at: start, end: start, octets: [part, lineEnd, delimiter, lineEnd] }]
    const at = this.#delimiterLine(end)
    return [{ at, end: at, octets: at === this.#octets.length ? [lineEnd, delimiter, lineEnd, part] : [delimiter, lineEnd, part, lineEnd] }]
  }

  /** With the delimiter after it, or at the end of its multipart with the one before. */
  #remove(part: Entity): Splice[] {
    const { start, end } = this.#range(part)
    const siblings = this.#parents.get(part)?.parts ?? []
    const lastKept = siblings.findLast((sibling) => !this.#removed.has(sibling))
    if (lastKept === undefined || siblings.length < 2) throw contentError('a multipart needs a part: remove the multipart')
    const at = siblings.indexOf(part)
    if (at < siblings.indexOf(lastKept)) return [{ at: start, end: this.#afterDelimiter(end), octets: [] }]
    // What is removed behind the last that stays goes at once, from delimiter to delimiter, so that the line end between stays the same.
    if (siblings[at - 1] !== lastKept) return []
    const kept = this.#range(lastKept).end
    const last = this.#range(siblings.at(-1) ?? part).end
    return [{ at: last === this.#octets.length ? kept : this.#delimiterLine(kept), end: this.#delimiterLine(last), octets: [] }]
  }

  #range(entity: Entity): { start: number; end: number } {
    if (entity !== this.#root && !this.#parents.has(entity)) throw wrongEdit('an entity is no part of the message')
    const { raw } = entity
    const start = raw.byteOffset - this.#octets.byteOffset
    const isView = raw.buffer === this.#octets.buffer && start >= 0 && start + raw.length <= this.#octets.length
    if (!isView) throw contentError(`part ${entity.section} is inside a message that was decoded: edit that one, and replace the part that holds it`)
    return { start, end: start + raw.length }
  }

  /** A new part beside or instead of `place`, unless it holds what would be a delimiter there. */
  #fitting(part: Uint8Array, place: Entity): Buffer {
    if (!(part instanceof Uint8Array)) throw wrongEdit('a new part is octets: a header section, an empty line and a body')
    const octets = asBuffer(part)
    const boundaries = new OpenBoundaries()
    for (let around = this.#parents.get(place); around !== undefined; around = this.#parents.get(around)) {
      const found = boundaryOf(around.parameters)
      if (found !== null) boundaries.open(found)
    }
    const isFit = boundaries.find(octets, 0, true, true, () => undefined).type === 'more'
    if (!isFit) throw contentError('a new part holds a delimiter of a multipart around it')
    return octets
  }

  /** That of the line before `at`. */
  #lineEnd(at: number): Buffer {
    return Buffer.from(this.#octets[at - 2] === CR ? '\r\n' : '\n')
  }

  /** What must stand between a part and the delimiter at `end`: nothing, but where an empty body shares its line end with the header section. */
  #lineEndAt(end: number, start: number): Buffer {
    const next = this.#octets[end]
    return next === undefined || next === LF || next === CR ? EMPTY : this.#lineEnd(start)
  }

  /** Where the delimiter after a part begins, behind its line end. */
  #delimiterLine(end: number): number {
    return this.#octets[end] === CR ? end + 2 : this.#octets[end] === LF ? end + 1 : end
  }

  #afterDelimiter(end: number): number {
    return this.#octets.indexOf(LF, this.#delimiterLine(end)) + 1
  }
}

const wrongEdit = (message: string): MailError => new MailError('ERR_OPTION', message, { phase: 'compose' })
const contentError = (message: string): MailError => new MailError('ERR_CONTENT', message, { phase: 'compose' })
