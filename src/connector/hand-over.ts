import { BodyFinder, isAttachment } from '../mime/body.ts'
import { uniqueFileName } from '../mime/file-name.ts'
import { readMessage, type Header, type Part } from '../mime/index.ts'
import type { Listed } from './book.ts'
import { documentId, fileExtension, fingerprint, KINDS, trackedProperties, WHOLE } from './document.ts'
import type { InboxFacts } from './inbox.ts'
import { safeFields } from './log.ts'
import { holdUpTo, openGate, peekHeader, Tap } from './source.ts'
import { orAbort } from '../abort.ts'

/** Turns the octets of a message into documents, hands over one after the other what was not accepted before, and keeps book. Reads the source to
 *  its end. Rejects with what the source failed with, and with `ERR_STATE`; documents accepted before that stay accepted.
 *  @param source with disposition 'message' the handler gets its very chunks
 *  @param wanted asked about the header section before anything is handed over
 *  @param accepted called for each document that was accepted, also when its message fails later
 *  @returns all documents accepted, or none there (both durable); some not accepted; or not wanted after a look at the header section */
export async function handOver(
  { handler, ledger, operation: { disposition }, stop, mailbox, logger }: InboxFacts,
  { key, uniqueId, occurrence }: Listed,
  source: AsyncIterable<Uint8Array>,
  octets: number,
  wanted: (header: Header) => boolean,
  accepted: () => void,
): Promise<'accepted' | 'empty' | 'failed' | 'left'> {
  const kind = KINDS[disposition]
  const tap = new Tap(source)
  const read = disposition === 'message' ? await peekHeader(tap) : await readMessage(tap)
  const { header } = read
  if (!wanted(header)) {
    await tap.drain()
    return 'left'
  }
  ledger.note(['message', key, { fingerprint: fingerprint(header) }])
  const message = { uniqueId, header, octets }
  /** Documents of this disposition, accepted or not. */ let count = 0
  /** Those that the kinds of the message will speak for. */ const names: string[] = []
  /** Bits of all leaves. */ let seen = 0
  let failed = false

  /** Hands one document over, unless it was accepted before: by its own record, or because every document of one of its kinds was. Once one was
   *  not accepted, the rest of its message waits for the next run.
   *  @param kinds that the leaf is of whatever comes after it */
  async function offer({ section, type: contentType, fileName }: Leaf, safeFileName: string, kinds: number, content: AsyncIterable<Buffer>) {
    const name = disposition === 'message' ? WHOLE : section
    const known = ledger.book.entry(key)
    const attempts = known.documents?.get(name) ?? 0
    count += 1
    if (kinds !== 0) names.push(name)
    if (attempts < 0 || (known.kinds & kinds) !== 0) return
    failed ||= stop.ending.aborted
    if (failed) return
    const attempt = attempts + 1
    await ledger.commit(['document', key, name, attempt])
    const rest = new Tap(content)
    const gate = openGate(rest, stop.ending)
    const tracked = trackedProperties(header, mailbox.host, mailbox.user, fileName)
    const facts = { id: documentId(uniqueId, occurrence, name), attempt, contentType }
    const document = { ...facts, section, content: gate.content, safeFileName, tracked, redelivered: attempt > 1, message }
    // Until the handler has ended, or the time for an orderly end is over.
    const [handled] = await Promise.allSettled([orAbort((async () => handler(document))(), stop.connection)])
    await gate.close()
    if (handled.status === 'rejected') {
      failed = true
      if (rest.failure !== undefined) throw rest.failure.error
      logger.warn(safeFields({ ...facts, ...tracked }, handled.reason), 'document not accepted; it comes again')
      return
    }
    // Accepted means: all of it came. A handler that was content with less does not change that.
    await rest.drain()
    await ledger.commit(['document', key, name, -attempt])
    accepted()
    logger.info(safeFields({ ...facts, ...tracked }), 'document accepted')
  }

  async function offerLeaves(parts: AsyncIterable<Part>): Promise<void> {
    const finder = new BodyFinder()
    const taken = new Set<string>()
    // HTML that is the body unless the plain text of its alternative comes after it.
    let candidate: (() => Promise<void>) | undefined
    let isSettled = false
    for await (const part of parts) {
      const role = finder.offer(part, part.path)
      const kinds = KINDS.all | (isAttachment(part, part.path) ? KINDS.attachment : 0) | (role === 'body' ? KINDS.inline : 0)
      seen |= role === 'candidate' ? KINDS.inline : kinds
      // Two attachments with the same name are two files (pain 19).
      const safeFileName = uniqueFileName(part.safeFileName ?? inventedName(part), taken)
      if (kind === KINDS.inline && role === 'candidate') {
        const rest = new Tap(part.content)
        const content = await holdUpTo(rest, MAX_CANDIDATE_OCTETS)
        isSettled = !rest.ended // too long to wait for what may come
        if (isSettled) await offer(part, safeFileName, 0, content)
        else candidate = () => offer(part, safeFileName, 0, content)
      } else if ((kinds & kind) !== 0 && !isSettled) {
        candidate = undefined
        await offer(part, safeFileName, kinds, part.content)
      }
    }
    await candidate?.()
  }

  if ('parts' in read) await offerLeaves(read.parts({ enclosed: 'leaf' }))
  else await offer({ section: '', type: 'message/rfc822', fileName: null }, 'message.eml', KINDS.message, read.content)
  await tap.drain()
  if (failed) return 'failed'
  // Who has seen every leaf knows what there is not.
  const empty = disposition === 'all' ? (KINDS.attachment | KINDS.inline) & ~seen : count === 0 ? kind : 0
  const known = ledger.book.entry(key)
  const facts = { kinds: known.kinds | kind, empty: known.empty | empty, stored: 0 }
  const settled = names.filter((name) => known.documents?.has(name)).map((name) => ['document', key, name, 0] as const)
  await ledger.commit(['message', key, facts], ...settled)
  return count === 0 ? 'empty' : 'accepted'
}

const MAX_CANDIDATE_OCTETS = 4 * 1024 * 1024

type Leaf = Pick<Part, 'section' | 'type' | 'fileName'>

function inventedName({ type, section }: Part): string {
  const isMessage = type === 'message/rfc822' || type === 'message/global'
  return `${isMessage ? 'message' : 'document'}${section === '' ? '' : `-${section}`}${fileExtension(type)}`
}
