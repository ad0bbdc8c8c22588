/**
 * The names and shapes that others build on, as they were agreed on. The source may add to them; it does not rename or narrow them:
 * `contract.test-d.ts` is compiled against both.
 */
// ── wirepost/tls ────────────────────────────────────────────────────────────────────────────────────────────────
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
export interface TlsOptions {
  /** @default 'TLSv1.2' */ readonly minVersion?: TlsVersion
  /** @default 'TLSv1.3' */ readonly maxVersion?: TlsVersion
  /** PEM; trusted beside Node's own authorities. */ readonly ca?: string | Buffer | readonly (string | Buffer)[]
  readonly servername?: string
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: string
  /** SHA-256 of a public key (SPKI), base64. */ readonly pins?: readonly string[]
  /** Trust any certificate. Logged at every connect. @default false */ readonly acceptUntrustedCertificate?: boolean
}
export interface TlsFacts {
  readonly version: TlsVersion
  readonly cipher: string
  readonly authorized: boolean
  readonly reason?: string
  readonly validTo: Date
}
export type Secret = string | (() => string | Promise<string>)
export type Credentials =
  | { readonly user: string; readonly password: Secret; readonly mechanism?: string }
  | { readonly user: string; readonly accessToken: Secret; readonly mechanism?: 'XOAUTH2' | 'OAUTHBEARER' }
  | { readonly user: string; readonly mechanism: 'EXTERNAL' }
/** What POP3 and SMTP connections have in common. */
export interface ServerOptions {
  readonly host: string
  /** @default POP3 995 for tls, 110 for starttls and none; SMTP 465, 587, 25 */ readonly port?: number
  /** `starttls` is required, never tried and dropped. @default 'tls' */ readonly security?: 'tls' | 'starttls' | 'none'
  /** Let credentials leave on a connection without TLS. @default false */ readonly allowClearTextAuth?: boolean
  readonly tls?: TlsOptions
  readonly auth?: Credentials
  readonly timeouts?: Partial<Timeouts>
  readonly signal?: AbortSignal
}
/** Milliseconds. Defaults: connect 30_000, handshake 30_000, greeting 300_000, command 300_000 (POP3 60_000), dataStart 120_000,
 *  dataBlock 180_000, dataEnd 600_000, quit 10_000, idle (between octets of an answer) 60_000. */
export interface Timeouts {
  connect: number
  handshake: number
  greeting: number
  command: number
  dataStart: number
  dataBlock: number
  dataEnd: number
  quit: number
  idle: number
}

// ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────
/** Match on `code`; docs/errors.md has a heading for each. */
export declare class MailError extends Error {
  readonly code: string
  readonly phase: string
  /** The same attempt may work later. */ readonly transient: boolean
  /** The connection can carry another command. */ readonly reusable: boolean
}

// ── wirepost/mime ───────────────────────────────────────────────────────────────────────────────────────────────
export interface Defect {
  readonly code: string
  readonly offset: number
  readonly section: string
  readonly severity: 'note' | 'warning' | 'serious'
}
export interface Mailbox {
  readonly name: string
  readonly address: string
}
export interface Group {
  readonly group: string
  readonly members: readonly Mailbox[]
}
export interface Header {
  /** In order, repeated ones included. */ readonly fields: readonly Field[]
  /** The first field of that name, decoded and unfolded. */ value(name: string): string | undefined
  values(name: string): readonly string[]
  addresses(name: string): readonly (Mailbox | Group)[]
  date(name?: string): Date | null
}
export interface Field {
  readonly name: string
  readonly value: string
  readonly raw: Buffer
  readonly offset: number
}
interface Described {
  /** As IMAP numbers parts: '' for the message, '1', '1.2'; an enclosed message's parts lie under its own number: the root of one enclosed in '2' is '2' when a multipart, '2.1' when a leaf. */ readonly section: string
  /** Lower case; 'text/plain' (in a digest 'message/rfc822') where the field is absent or unusable, 'application/octet-stream' when the encoding is unknown. */ readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  /** 'inline', 'attachment', another token, or null. */ readonly disposition: string | null
  /** Decoded, as the sender gave it. */ readonly fileName: string | null
  /** Fit for any file system, at most 200 octets; null when there is no name. */ readonly safeFileName: string | null
  readonly contentId: string | null
  readonly charset: string | null
  /** The content-transfer-encoding. */ readonly encoding: string
  readonly header: Header
  readonly defects: readonly Defect[]
}
export interface Entity extends Described {
  readonly parts: readonly Entity[]
  /** All octets of the entity; a view. */ readonly raw: Buffer
  /** Octets after the transfer encoding. */ content(): Buffer
  /** Characters after the charset. */ text(): string
  /** Some reader is known to see another message here. */ readonly ambiguous: boolean
}
export interface Part extends Described {
  /** The enclosing entities, from the outside in. */ readonly path: readonly Described[]
  /** Decoded octets, once. */ readonly content: AsyncIterable<Buffer>
}
export interface Message {
  readonly header: Header
  /** @default 'open' */ parts(options?: { enclosed?: 'open' | 'leaf' }): AsyncIterable<Part>
}
export declare function parseMessage(octets: Uint8Array, options?: ParseOptions): Entity
export declare function readMessage(source: AsyncIterable<Uint8Array>, options?: ParseOptions): Promise<Message>
/** What a person would see: the text, the HTML, the images shown in it, and everything else. */
export declare function selectBody(entity: Entity): {
  text: Entity | null
  html: Entity | null
  inline: readonly Entity[]
  attachments: readonly Entity[]
}
export interface ParseOptions {
  readonly limits?: Partial<ParseLimits>
  readonly strict?: boolean
  readonly onLimit?: 'leaf' | 'error'
}
export interface ParseLimits {
  depth: number
  parts: number
  headerBytes: number
  totalHeaderBytes: number
  parameters: number
  messageBytes: number
}
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>
export interface Attachment {
  readonly content: Content
  readonly size?: number
  readonly fileName?: string
  readonly type?: string
  readonly contentId?: string
  readonly disposition?: 'attachment' | 'inline'
}
/** A whole mail to be written. Addresses as text ("A <a@x>; b@y"), or parsed. */
export interface Draft {
  readonly from: string | Mailbox
  readonly to?: Addresses
  readonly cc?: Addresses
  readonly bcc?: Addresses
  readonly replyTo?: Addresses
  readonly sender?: string | Mailbox
  readonly subject?: string
  readonly date?: Date
  readonly messageId?: string
  readonly inReplyTo?: string
  readonly references?: readonly string[]
  readonly text?: Content
  readonly html?: Content
  readonly attachments?: readonly Attachment[]
  readonly fields?: readonly (readonly [name: string, value: string])[]
}
export type Addresses = string | readonly (string | Mailbox | Group)[]
export declare function composeMessage(draft: Draft, options?: { /** @default '7bit' */ transport?: '7bit' | '8bit' | 'binary' }): Composed
/** `size` in octets, when every source knows its own. */
export interface Composed extends AsyncIterable<Buffer> {
  readonly size: number | undefined
  readonly messageId: string
}

// ── wirepost/pop3 ───────────────────────────────────────────────────────────────────────────────────────────────
export interface Listing {
  readonly number: number
  readonly octets: number
}
export interface UniqueIdListing {
  readonly number: number
  readonly uniqueId: string
}
/** Iterating gives owned chunks; `views()` gives borrowed ones, valid until the next, which is what `readMessage` wants. */
export interface Retrieval extends AsyncIterable<Buffer> {
  readonly number: number
  views(): AsyncIterable<Buffer>
}
export declare class Pop3Client implements AsyncDisposable {
  static connect(options: ServerOptions): Promise<Pop3Client>
  readonly tls: TlsFacts | null
  readonly capabilities: ReadonlyMap<string, readonly string[]>
  stat(): Promise<{ count: number; octets: number }>
  list(): AsyncIterable<Listing>
  uniqueIds(): AsyncIterable<UniqueIdListing>
  retrieve(number: number): Retrieval
  retrieveAll(numbers: Iterable<number>): AsyncIterable<Retrieval>
  top(number: number, lines: number): Retrieval
  delete(number: number): Promise<void>
  reset(): Promise<void>
  noop(): Promise<void>
  /** `confirmed` is true when the server said +OK to QUIT: only then are deletions done. */
  quit(): Promise<{ confirmed: boolean }>
  [Symbol.asyncDispose](): Promise<void>
}

// ── wirepost/smtp ───────────────────────────────────────────────────────────────────────────────────────────────
export interface Envelope {
  readonly from: string
  readonly to: readonly string[]
  readonly options?: SubmitOptions
}
export interface SubmitOptions {
  /** 'deliver' to those accepted, or nobody unless everybody. @default 'deliver' */ readonly partial?: 'deliver' | 'refuse'
  readonly dsn?: { notify?: readonly ('success' | 'failure' | 'delay')[] | 'never'; ret?: 'full' | 'headers'; envid?: string }
  readonly requireTls?: boolean
  readonly signal?: AbortSignal
}
export interface Reply {
  readonly status: number
  readonly enhancedStatus: string | null
  readonly lines: readonly string[]
}
export interface RecipientOutcome {
  readonly address: string
  readonly outcome: 'accepted' | 'deferred' | 'refused' | 'unknown'
  readonly reply: Reply | null
}
/** accepted: all; partial: some; deferred or refused: none; unknown: the final reply never came. */
export interface Receipt {
  readonly outcome: 'accepted' | 'partial' | 'deferred' | 'refused' | 'unknown'
  readonly recipients: readonly RecipientOutcome[]
  readonly reply: Reply | null
  readonly octets: number
}
export interface SmtpOptions extends ServerOptions {
  /** EHLO name. @default an address literal */ readonly clientName?: string
}
export declare class SmtpClient implements AsyncDisposable {
  static connect(options: SmtpOptions): Promise<SmtpClient>
  readonly tls: TlsFacts | null
  readonly extensions: ReadonlyMap<string, string>
  /** Resolves with a receipt for whatever the server answered, a refusal of everybody included; rejects only when the connection failed or was aborted before the final dot. */
  submit(envelope: Envelope, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<Receipt>
  quit(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
export declare class SmtpPool implements AsyncDisposable {
  constructor(
    options: SmtpOptions & {
      /** @default 5 */ maxConnections?: number
      /** On one connection. @default 100 */ maxMessages?: number
      /** @default none */ rate?: { messages: number; perMs: number }
    },
  )
  submit(envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

// ── wirepost ────────────────────────────────────────────────────────────────────────────────────────────────────
export interface TrackedProperties {
  readonly fileName: string | null
  readonly fromAddress: string
  readonly host: string
  readonly messageId: string | null
  readonly subject: string
  readonly toAddress: string
  readonly user: string
}
/** One piece of business content got from a mailbox. */
export interface MailDocument {
  /** Unique-id (with its occurrence where the server repeats one) and section: the same each time this document is handed over. */ readonly id: string
  readonly content: AsyncIterable<Buffer>
  readonly contentType: string
  readonly safeFileName: string
  readonly tracked: TrackedProperties
  /** Hand-overs of this document so far, from 1. */ readonly attempt: number
  readonly redelivered: boolean
  readonly section: string
  /** One object for all documents of a message. */ readonly message: { readonly uniqueId: string; readonly header: Header; readonly octets: number }
}
export interface GetOperation {
  readonly fromAddress?: string
  readonly disposition: 'attachment' | 'inline' | 'all' | 'message'
  readonly deleteFromServer?: boolean
  readonly handOver?: 'direct' | 'spool'
  /** Of one run, by LIST. */ readonly limit?: { messages?: number; octets?: number }
  readonly deleteEmpty?: boolean
}
/** Counts of messages, but for `documents`. listed: in the maildrop; received: retrieved now; documents: accepted now; skipped: set aside, or without a
 *  document; failed: some document was not accepted; deleted: confirmed by +OK to QUIT; unconfirmed: DELE accepted, QUIT not. What was accepted in an
 *  earlier run counts in `listed` only. */
export interface GetReport {
  readonly listed: number
  readonly received: number
  readonly documents: number
  readonly skipped: number
  readonly deleted: number
  readonly unconfirmed: number
  readonly failed: number
  readonly quarantined: number
}
export interface SendOperation {
  readonly from: string
  readonly to: string
  readonly cc?: string
  readonly bcc?: string
  readonly subject?: string
  readonly disposition: 'attachment' | 'inline' | 'message'
  readonly dataContentType?: string
  readonly bodyContentType?: string
  readonly together?: boolean
  readonly onUnknown?: 'hold' | 'retry'
}
/** A document to send; what it names overrides the operation. */
export interface OutgoingDocument {
  readonly content: Content
  readonly size?: number
  readonly fileName?: string
  readonly fromAddress?: string
  readonly toAddress?: string
  readonly subject?: string
  readonly body?: string
  readonly idempotencyKey?: string
}
export interface SendReceipt extends Receipt {
  readonly messageId: string
  readonly tracked: TrackedProperties
}
export interface Logger {
  trace(o: object, m?: string): void
  debug(o: object, m?: string): void
  info(o: object, m?: string): void
  warn(o: object, m?: string): void
  error(o: object, m?: string): void
  child(o: object): Logger
}
export declare class MailConnector implements AsyncDisposable {
  constructor(options: {
    inbound?: ServerOptions
    outbound?: SmtpOptions
    stateDirectory?: string
    state?: 'memory'
    concurrency?: number
    logger?: Logger
  })
  get(operation: GetOperation, handler: (document: MailDocument) => unknown, options?: { signal?: AbortSignal }): Promise<GetReport>
  /** One receipt a document (one in all with `together`), in order; `deferred` with `reply: null` where the connection failed before the final dot.
   *  Rejects only for wrong options or when no connection was made. */
  send(
    operation: SendOperation,
    documents: Iterable<OutgoingDocument> | AsyncIterable<OutgoingDocument>,
    options?: { signal?: AbortSignal },
  ): Promise<SendReceipt[]>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
