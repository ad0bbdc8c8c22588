import { decodeText } from './charset/decode.ts'
import { metaCharset } from './charset/meta.ts'
import type { Described, Entity } from './entity.ts'
import { joinParagraphs, unflow } from './flowed.ts'

/** What is shown of a message (RFC 2046 §5.1, RFC 2387, RFC 2183). */
export interface SelectedBody {
  readonly text: Entity | null
  readonly html: Entity | null
  /** Images that the HTML can show by their Content-ID. */ readonly inline: readonly Entity[]
  /** Every other leaf, enclosed messages whole, in order. */ readonly attachments: readonly Entity[]
}

/** What a person would see: the text, the HTML, the images shown in it, and everything else. Text and HTML are of one alternative, or one of them is
 *  `null`; text of another kind than plain is the text only where there is no HTML. */
export function selectBody(entity: Entity): SelectedBody {
  const leaves = [...leavesOf(entity)]
  const readable = leaves.filter(({ leaf, path }) => leaf.type.startsWith('text/') && !isAttachment(leaf, path))
  const home = alternativeAround(readable[0]?.path ?? [])
  // Without an alternative, a second text is no body.
  const body = home === undefined ? readable.slice(0, 1) : readable.filter(({ path }) => path.includes(home))
  const html = body.find(({ leaf }) => leaf.type === 'text/html')
  const text = body.find(({ leaf }) => leaf.type === 'text/plain') ?? (html === undefined ? body[0] : undefined)
  const rest = leaves.filter((one) => one !== text && one !== html)
  return {
    text: text?.leaf ?? null,
    html: html?.leaf ?? null,
    inline: rest.filter(({ leaf, path }) => isRelatedImage(leaf, path)).map(({ leaf }) => leaf),
    attachments: rest.filter(({ leaf, path }) => !isRelatedImage(leaf, path)).map(({ leaf }) => leaf),
  }
}

/** Text as a person reads it: with `format=flowed` (RFC 3676) the lines of a paragraph joined to one; else as it is. */
export function plainText(entity: Entity): string {
  const { parameters } = entity
  if (entity.type !== 'text/plain' || parameters.get('format')?.toLowerCase() !== 'flowed') return entity.text()
  return joinParagraphs(unflow(entity.text(), { delSp: parameters.get('delsp')?.toLowerCase() === 'yes' }))
}

/** HTML by its charset parameter; without one, by the charset that the HTML itself declares (`metaCharset`). As it was sent: not made safe to show. */
export function htmlText(entity: Entity): string {
  if (entity.charset !== null) return entity.text()
  const content = entity.content()
  const label = metaCharset(content)
  return label === null ? entity.text() : decodeText(content, label, () => undefined)
}

/** A leaf that is marked `attachment`, or has a file name, or is an enclosed message, or is neither text nor an image with a Content-ID inside a
 *  related part. Of a message that is one leaf, only the mark counts. `path`: the enclosing entities, from the outside in. */
export function isAttachment(part: Described, path: readonly Described[]): boolean {
  if (part.disposition === 'attachment') return true
  if (path.length === 0) return false
  if (part.fileName !== null || isMessage(part)) return true
  return !part.type.startsWith('text/') && !isRelatedImage(part, path)
}

/** Finds the body among leaves that come one by one, from their header sections: the first text leaf that is no attachment, in an alternative the
 *  plain one before the HTML; of a message that is one leaf not marked `attachment`, that leaf. Leaves inside an enclosed message are none. */
export class BodyFinder {
  #found = false
  /** The alternative whose first text was not plain. */ #waiting: Described | undefined

  /** `body`: it is. `candidate`: it is, unless a later part of the same alternative turns out to be `body`. */
  offer(part: Described, path: readonly Described[]): 'body' | 'candidate' | 'other' {
    const waiting = this.#waiting
    if (waiting !== undefined && !path.includes(waiting)) this.#found = true
    if (this.#found || isAttachment(part, path) || path.some(isMessage)) return 'other'
    if (path.length > 0 && !part.type.startsWith('text/')) return 'other'
    const alternative = part.type === 'text/plain' ? undefined : alternativeAround(path)
    if (alternative === undefined) {
      this.#found = true
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

/** The outermost: what is in alternatives within it is one text too. */
const alternativeAround = <E extends Described>(path: readonly E[]): E | undefined => path.find((around) => around.type === 'multipart/alternative')

/** The leaves of a message in order, but for a related part's root, which comes first (RFC 2387 §3.2). An enclosed message is one leaf. */
function* leavesOf(root: Entity): Generator<{ readonly leaf: Entity; readonly path: readonly Entity[] }> {
  const stack: { readonly leaf: Entity; readonly path: readonly Entity[] }[] = [{ leaf: root, path: [] }]
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { leaf, path } = item
    if (leaf.parts.length === 0 || !leaf.type.startsWith('multipart/')) {
      yield item
      continue
    }
    const inside = [...path, leaf]
    const start = leaf.type === 'multipart/related' ? leaf.parameters.get('start')?.replace(/^<|>$/g, '') : undefined
    const first = start === undefined ? undefined : leaf.parts.find(({ contentId }) => contentId === start)
    for (const part of leaf.parts.toReversed()) if (part !== first) stack.push({ leaf: part, path: inside })
    if (first !== undefined) stack.push({ leaf: first, path: inside })
  }
}
