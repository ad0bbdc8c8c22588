import { BodyFinder, isAttachment } from '../mime/body.ts'
import { uniqueFileName } from '../mime/file-name.ts'
import type { Part } from '../mime/index.ts'
import { KINDS } from './document.ts'
import { fileExtension } from './file-extension.ts'

/** What each leaf of one message is, as they come by: body or attachment, and under which name. */
export class Leaves {
  readonly #finder = new BodyFinder()
  readonly #taken = new Set<string>()

  /**
   * Kinds as bits of the ledger. `isCandidate`: it is the body unless a later leaf is (HTML that stands before the plain text of an alternative);
   * until then it does not count as one.
   */
  describe(part: Part): { readonly kinds: number; readonly isCandidate: boolean } {
    const role = this.#finder.offer(part, part.path)
    const kinds = KINDS.all | (isAttachment(part, part.path) ? KINDS.attachment : 0) | (role === 'body' ? KINDS.inline : 0)
    return { kinds, isCandidate: role === 'candidate' }
  }

  /** Fit for any file system, and given once in this message: two attachments with the same name are two files (pain 19). */
  nameOf(part: Part): string {
    return uniqueFileName(part.safeFileName ?? inventedName(part), this.#taken)
  }
}

function inventedName({ type, section }: Part): string {
  const isMessage = type === 'message/rfc822' || type === 'message/global'
  return `${isMessage ? 'message' : 'document'}${section === '' ? '' : `-${section}`}${fileExtension(type)}`
}
