import { asBuffer, CR, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { boundaryOf, OpenBoundaries } from './boundary.ts'
import { contentError } from './content.ts'
import type { Entity } from './entity.ts'

/** One change to a message that was parsed. What comes in is a whole entity, header section, empty line and body, as `composePart` or the `raw` of
 *  another entity gives it; its transfer encoding must be one that the multiparts around it may hold. */
export type Edit =
  | { readonly remove: Entity }
  | { readonly replace: Entity; readonly by: Uint8Array }
  /** At the end of a multipart, or before one of its parts. */
  | { readonly add: Uint8Array; readonly to: Entity; readonly before?: Entity | undefined }

/** Octets from `at` to `end` that give way to others. */
type Splice = { readonly at: number; readonly end: number; readonly octets: readonly Uint8Array[] }

/** The octets of a message (or of any entity) with parts replaced, added and removed; everything else stays octet for octet, so that with no edits
 *  what was parsed is written back. A signature over what is changed does not survive. Fails with `ERR_OPTION` for edits that do not belong to the
 *  message or exclude each other, and with `ERR_CONTENT` where the result would be read as another structure: the only part of a multipart is
 *  removed, a new part holds a delimiter of what is around it, or the place is inside a message that was decoded. */
export function editMessage(message: Entity, edits: readonly Edit[]): Buffer {
  const { raw } = message
  const removed = new Set(edits.flatMap((edit) => ('remove' in edit ? [edit.remove] : [])))
  const parents = new Map<Entity, Entity>()
  const stack = [message]
  for (let entity = stack.pop(); entity !== undefined; entity = stack.pop()) {
    for (const part of entity.parts) parents.set(part, entity)
    stack.push(...entity.parts)
  }
  const splices = edits.flatMap((edit) => splice(edit)).toSorted((a, b) => a.at - b.at || a.end - b.end)
  const pieces: Uint8Array[] = []
  let done = 0
  for (const { at, end, octets } of splices) {
    if (at < done) throw wrongEdit('two edits concern the same octets')
    pieces.push(raw.subarray(done, at), ...octets)
    done = end
  }
  return Buffer.concat([...pieces, raw.subarray(done)])

  /** What an edit does to the octets of the message. */
  function splice(edit: Edit): Splice[] {
    if ('remove' in edit) return remove(edit.remove)
    if ('replace' in edit) {
      const { start, end } = rangeOf(edit.replace)
      if (edit.replace.raw.equals(edit.by)) return []
      // Where an empty body shares its line end with the header section, another must stand before the delimiter.
      const isShared = end < raw.length && delimiterLine(end) === end
      return [{ at: start, end, octets: [fitting(edit.by, edit.replace), isShared ? lineEndBefore(start) : EMPTY] }]
    }
    const { to, before } = edit
    const last = to.parts.at(-1)
    if (last === undefined || !to.type.startsWith('multipart/')) throw contentError('a part is added to a multipart that has parts')
    if (before !== undefined && !to.parts.includes(before)) throw wrongEdit('`before` is no part of `to`')
    // One that goes too is no place to be: the next that stays is.
    const follower = before && to.parts.slice(to.parts.indexOf(before)).find((part) => !removed.has(part))
    const { start, end } = rangeOf(follower ?? last)
    const part = fitting(edit.add, last)
    const lineEnd = lineEndBefore(start)
    const delimiter = Buffer.from(`--${boundaryOf(to.parameters)?.boundary}`, 'latin1')
    if (follower !== undefined) return [{ at: start, end: start, octets: [part, lineEnd, delimiter, lineEnd] }]
    const at = delimiterLine(end)
    return [{ at, end: at, octets: at === raw.length ? [lineEnd, delimiter, lineEnd, part] : [delimiter, lineEnd, part, lineEnd] }]
  }

  /** With the delimiter after it, or at the end of its multipart with the one before. */
  function remove(part: Entity): Splice[] {
    const { start, end } = rangeOf(part)
    const siblings = parents.get(part)?.parts ?? []
    const lastKept = siblings.findLast((sibling) => !removed.has(sibling))
    if (lastKept === undefined || siblings.length < 2) throw contentError('a multipart needs a part: remove the multipart')
    const at = siblings.indexOf(part)
    if (at < siblings.indexOf(lastKept)) return [{ at: start, end: raw.indexOf(LF, delimiterLine(end)) + 1, octets: [] }]
    // What is removed behind the last that stays goes at once, from delimiter to delimiter, so that the line end between stays the same.
    if (siblings[at - 1] !== lastKept) return []
    const kept = rangeOf(lastKept).end
    const last = rangeOf(siblings.at(-1) ?? part).end
    return [{ at: last === raw.length ? kept : delimiterLine(kept), end: delimiterLine(last), octets: [] }]
  }

  function rangeOf(entity: Entity): { start: number; end: number } {
    if (entity !== message && !parents.has(entity)) throw wrongEdit('an entity is no part of the message')
    const start = entity.raw.byteOffset - raw.byteOffset
    const isView = entity.raw.buffer === raw.buffer && start >= 0 && start + entity.raw.length <= raw.length
    if (!isView) throw contentError(`part ${entity.section} is inside a message that was decoded: edit that one, and replace the part that holds it`)
    return { start, end: start + entity.raw.length }
  }

  /** A new part beside or instead of `place`, unless it holds what would be a delimiter there. */
  function fitting(part: Uint8Array, place: Entity): Buffer {
    if (!(part instanceof Uint8Array)) throw wrongEdit('a new part is octets: a header section, an empty line and a body')
    const octets = asBuffer(part)
    const boundaries = new OpenBoundaries()
    for (let around = parents.get(place); around !== undefined; around = parents.get(around)) {
      const found = boundaryOf(around.parameters)
      if (found !== null) boundaries.open(found)
    }
    const { delimiter } = boundaries.find(octets, 0, true, true, () => undefined)
    if (delimiter !== null) throw contentError('a new part holds a delimiter of a multipart around it')
    return octets
  }

  function lineEndBefore(at: number): Buffer {
    return Buffer.from(raw[at - 2] === CR ? '\r\n' : '\n')
  }

  /** Where the delimiter after a part begins, behind its line end. */
  function delimiterLine(end: number): number {
    return raw[end] === CR ? end + 2 : raw[end] === LF ? end + 1 : end
  }
}

const wrongEdit = (message: string): MailError => new MailError('ERR_OPTION', message, { phase: 'compose' })
