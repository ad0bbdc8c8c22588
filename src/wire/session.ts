/**
 * One connection's protocol state. It touches no network and never waits: `receive` what arrived, then take `next` until it is `undefined`.
 * A session only produces octets and events; a client moves them.
 */
export interface Session<Event> {
  /** Octets from the server. Borrowed: what must outlive the call is copied, or used up by `next` before the next `receive`. */
  receive(chunk: Buffer): void
  /** What happened next, or `undefined` when more octets are needed. After `end()` it gives an event or throws, never `undefined`. Throws `MailError`. */
  next(): Event | undefined
  /** The server closed its side. */
  end(): void
  /** Octets received and not consumed yet. Must be 0 before an upgrade to TLS, or a forged reply would outlive it (RFC 3207 §4.2, RFC 2595 §4). */
  readonly unread: number
}
