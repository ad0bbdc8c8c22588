import { createHash } from 'node:crypto'

/** One account on one server. What is known about it is kept under its name. */
export type Mailbox = { readonly host: string; readonly port: number; readonly user: string }

/**
 * A file name for what is kept about a mailbox: the same for the same host, port and user, and free of whatever those contain. The two ports of
 * POP3 are two doors to one maildrop, so that a change between STLS and TLS from the start forgets nothing. Any other port may lead to another
 * server (a tunnel, a container): taking two maildrops for one would delete messages that nobody has seen.
 */
export function mailboxName({ host, port, user }: Mailbox): string {
  return createHash('sha256')
    .update(JSON.stringify([host.toLowerCase(), port === 110 ? 995 : port, user]))
    .digest('hex')
    .slice(0, 32)
}
