import type { Described, Entity } from './entity.ts'

/** What is shown of a message (RFC 2046 §5.1, RFC 2387, RFC 2183). */
export interface SelectedBody {
  readonly text: Entity | null
  readonly html: Entity | null
  /** Images that the HTML can show by their Content-ID. */ readonly inline: readonly Entity[]
  /** Every other leaf, enclosed messages whole, in order. */ readonly attachments: readonly Entity[]
}

/** What a person would see: the text, the HTML, the images shown in it, and everything else. */
export function selectBody(entity: Entity): SelectedBody {
  let text: Entity | null = null
  let html: Entity | null = null
  const inline: Entity[] = []
  const attachments: Entity[] = []
  // The alternative or the whole that the body was found in: a second text after it is no body.
  let home: Described | undefined
  for (const { leaf, path } of leavesOf(entity)) {
    const isText = leaf.type.startsWith('text/') && !isAttachment(leaf, path)
    const around = innermostAlternative(path)
    const belongs = (text === null && html === null) || (home !== undefined && around === home)
    if (isText && belongs && leaf.type === 'text/html' && html === null) html = leaf
    else if (isText && belongs && leaf.type !== 'text/html' && text === null) text = leaf
    else {
      if (isRelatedImage(leaf, path)) inline.push(leaf)
      else attachments.push(leaf)
      continue
    }
    home ??= around
  }
  return { text, html, inline, attachments }
}

/**
 * A leaf that is marked `attachment`, or has a file name, or is an enclosed message, or is neither text nor an image with a Content-ID inside a related
 * part. Of a message that is one leaf, only the mark counts. `path`: the enclosing entities, from the outside in.
 */
export function isAttachment(part: Described, path: readonly Described[]): boolean {
  if (part.disposition === 'attachment') return true
  if (path.length === 0) return false
  if (part.fileName !== null || isMessage(part)) return true
  return !part.type.startsWith('text/') && !isRelatedImage(part, path)
}

/** `body`: it is. `candidate`: it is, unless a later part of the same alternative turns out to be `body`. */
export type BodyRole = 'body' | 'candidate' | 'other'

/**
 * Finds the body among leaves that come one by one, from their header sections: the first text leaf that is no attachment, in an alternative the plain
 * one before the HTML; of a message that is one leaf not marked `attachment`, that leaf. Leaves inside an enclosed message are none.
 */
export class BodyFinder {
  #found = false
  /** The alternative whose first text was not plain. */ #waiting: Described | undefined

  offer(part: Described, path: readonly Described[]): BodyRole {
    const waiting = this.#waiting
    if (waiting !== undefined && !path.includes(waiting)) {
      this.#waiting = undefined
      this.#found = true
    }
    if (this.#found || isAttachment(part, path) || path.some(isMessage)) return 'other'
    if (path.length > 0 && !part.type.startsWith('text/')) return 'other'
    const alternative = part.type === 'text/plain' ? undefined : innermostAlternative(path)
    if (alternative === undefined) {
      this.#found = true
      this.#waiting = undefined
      return 'body'
    }
    if (waiting !== undefined) return 'other'
    this.#waiting = alternative
    return 'candidate'
  }
}

const isMessage = (part: Described): boolean => part.type === 'message/rfc822' || part.type === 'message/global'

function isRelatedImage(part: Described, path: readonly Described[]): boolean {
  return part.type.startsWith('image/') && part.contentId !== null && path.some((around) => around.type === 'multipart/related')
}

const innermostAlternative = (path: readonly Described[]): Described | undefined => path.findLast((around) => around.type === 'multipart/alternative')

/** The leaves of a message in order, with what is around them; an enclosed message is one leaf. */
function* leavesOf(root: Entity): Generator<{ readonly leaf: Entity; readonly path: readonly Entity[] }> {
  const stack: { readonly leaf: Entity; readonly path: readonly Entity[] }[] = [{ leaf: root, path: [] }]
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { leaf, path } = item
    if (leaf.parts.length === 0 || !leaf.type.startsWith('multipart/')) {
      yield item
      continue
    }
    const inside = [...path, leaf]
    for (const part of leaf.parts.toReversed()) stack.push({ leaf: part, path: inside })
  }
}
