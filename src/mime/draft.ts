import type { Addresses, Mailbox } from './field/address.ts'

/** A string is text: it is sent as UTF-8 with CRLF line ends. Octets and streams come out of the other end as they went in; streams are read once,
 *  when their turn comes, and closed when the message is left early. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>

export interface Attachment {
  readonly content: Content
  /** Octets, when known; text needs none. Another length is `ERR_CONTENT`, a stream's while it is read. */ readonly size?: number | undefined
  /** At most 4,000 characters; '' is none. */ readonly fileName?: string | undefined
  /** Media type, parameters allowed. A `message/…` or `multipart/…` must not be encoded (RFC 2045 §6.4): what the transport cannot carry as it is
   *  goes as `application/octet-stream`, octets exact. @default 'text/plain' for a string, else 'application/octet-stream' */
  readonly type?: string | undefined
  /** Without angle brackets; what HTML names as `cid:…`. */ readonly contentId?: string | undefined
  /** @default 'inline' with a contentId, else 'attachment' */ readonly disposition?: 'attachment' | 'inline' | undefined
}

/** A whole mail to be written. Addresses as text ("A <a@x>; b@y"), or parsed. Text and HTML become an alternative; what HTML shows by contentId is
 *  related to it; attachments follow. A single inline attachment without text is the body itself. Do not change content before the message was read. */
export interface Draft {
  readonly from: string | Mailbox
  readonly to?: Addresses | undefined
  readonly cc?: Addresses | undefined
  /** Checked, never written: recipients are the envelope's business. */ readonly bcc?: Addresses | undefined
  readonly replyTo?: Addresses | undefined
  readonly sender?: string | Mailbox | undefined
  readonly subject?: string | undefined
  /** @default now */ readonly date?: Date | undefined
  /** Without angle brackets. @default random, at the domain of From */ readonly messageId?: string | undefined
  readonly inReplyTo?: string | undefined
  readonly references?: readonly string[] | undefined
  readonly text?: Content | undefined
  readonly html?: Content | undefined
  /** An invitation: an iCalendar object with its METHOD (RFC 5545 §3.7.2, RFC 6047), or `ERR_CONTENT`. It is written twice: as one more alternative,
   *  where Outlook and Gmail look for it, and as the attachment `invite.ics` for other readers. */
  readonly calendar?: string | undefined
  readonly attachments?: readonly Attachment[] | undefined
  /** Further fields, in order. Those that the draft itself makes, MIME's and Resent-Bcc are refused. */
  readonly fields?: readonly (readonly [name: string, value: string])[] | undefined
}

export interface ComposeOptions {
  /** What the way to the recipient carries: lines of ASCII, lines of octets (8BITMIME), or any octets (BINARYMIME). @default '7bit' */
  readonly transport?: '7bit' | '8bit' | 'binary' | undefined
}

/** The message as chunks of about 64 KiB, made as they are asked for and owned by the one who asks. It can be read again, octet for octet the
 *  same, when none of its content is a stream. Reading fails with `ERR_CONTENT` when a stream fails, was read before, gives something else than
 *  octets, or is longer or shorter than it said: the message must not be finished then. */
export interface Composed extends AsyncIterable<Buffer> {
  /** In octets, when every source knows its own. */ readonly size: number | undefined
  /** Without angle brackets. */ readonly messageId: string
  /** The same chunks, each valid only until the seventh after it was asked for: for a writer that has few of them under way, as `SmtpClient` has. */
  borrowed(): AsyncIterable<Buffer>
}
