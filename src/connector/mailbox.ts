import { createHash } from 'node:crypto'

/** One account on one server. What is known about it is kept under its name. */
export interface Mailbox {
  readonly host: string
  readonly port: number
  readonly user: string
}

/** A file name for what is kept about a mailbox: the same for the same host, port and user, and free of whatever those contain. */
export function mailboxName({ host, port, user }: Mailbox): string {
  return createHash('sha256')
    .update(JSON.stringify([host.toLowerCase(), port, user]))
    .digest('hex')
    .slice(0, 32)
}

/** For a log or an error. */
export function mailboxLabel({ host, port, user }: Mailbox): string {
  return `${user === '' ? '' : `${user}@`}${host}:${port}`
}
