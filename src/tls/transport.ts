import type { Phase } from '../errors.ts'
import type { CommandLine, Session } from '../wire/session.ts'
import type { TlsFacts, UpgradeOptions } from './options.ts'

/** Octets to and from one server. The read side and the write side do not wait for each other. */
export interface Transport {
  /** The next chunk, or `null` when the server closed its side. The chunk is borrowed: it may be a view of a reused buffer and is valid until
   *  the next `read`. One read at a time. Rejects with `ERR_TIMEOUT` after `waitMs`, and with the reason once the transport was destroyed. */
  read(phase: Phase, waitMs: number): Promise<Buffer | null>
  /** A chunk that has arrived and that nobody has read, without waiting; borrowed in the same way. `null` when there is none. */
  readAhead(): Buffer | null
  /** Sends the views in order, in one `writev`, and settles when more is wanted: at most two writes are under way. The octets belong to the
   *  transport and must not change afterwards. Rejects with `ERR_TIMEOUT` when the server takes nothing for `waitMs`. */
  write(views: readonly Uint8Array[], phase: Phase, waitMs: number): Promise<void>
  /** Settles when all that was written has left. */
  flush(phase: Phase, waitMs: number): Promise<void>
  /** Changes to TLS in place (STARTTLS, STLS). Fails when octets were left over before it. */
  upgrade(options: UpgradeOptions): Promise<TlsFacts>
  /** What was negotiated, or `null` on a connection without TLS. */ readonly tls: TlsFacts | null
  /** The name and port asked for, and the address of our side (for an EHLO address literal). */ readonly host: string
  readonly port: number
  readonly localAddress: string
  /** Sends FIN and waits for the socket to close, at most `waitMs`; then destroys it. Never rejects. */
  close(waitMs: number): Promise<void>
  /** Ends everything at once: waiting and later calls reject with `reason`. */
  destroy(reason: unknown): void
  readonly destroyed: boolean
}

/** How long the answer of one phase may take: in all, and between its octets. Milliseconds. `before`: called when all that has arrived was used up. */
export type Wait = { readonly phase: Phase; readonly totalMs: number; readonly idleMs: number; readonly before?: () => void }

/** The one loop that joins a session with a transport. Both clients await it. */
export async function nextEvent<C extends CommandLine, E>(session: Session<C, E>, transport: Transport, wait: Wait): Promise<E> {
  const event = session.next()
  if (event !== undefined) return event
  const until = performance.now() + wait.totalMs
  let waitMs = wait.totalMs
  for (;;) {
    const ahead = wait.before === undefined ? null : transport.readAhead()
    if (ahead === null) wait.before?.()
    const chunk = ahead ?? (await transport.read(wait.phase, waitMs))
    if (chunk === null) session.end()
    else session.receive(chunk)
    const next = session.next()
    if (next !== undefined) return next
    waitMs = Math.max(1, Math.min(wait.idleMs, until - performance.now()))
  }
}
