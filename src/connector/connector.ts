import { resolve } from 'node:path'
import { onAbort } from '../abort.ts'
import { MailError } from '../errors.ts'
import { Pop3Client, type Pop3Options } from '../pop3/index.ts'
import { SmtpClient, SmtpPool, type SmtpPoolOptions } from '../smtp/index.ts'
import type { PooledConnection } from '../smtp/pool.ts'
import { checkServerOptions, demand, POP3_DEFAULTS, SMTP_DEFAULTS, type ServerOptions, type TlsFacts } from '../tls/options.ts'
import type { DocumentHandler } from './document.ts'
import { diskFiles, type Files, type Mailbox } from './files.ts'
import { runInbox, type GetReport } from './inbox.ts'
import { Ledger, openSpool } from './ledger.ts'
import { lockMailbox } from './lock.ts'
import { defaultLogger, errorFields, safeFields, traceDialogue, type Logger } from './log.ts'
import { checkGetOperation, checkSendOperation, type GetOperation, type OutgoingDocuments, type SendOperation } from './operation.ts'
import { sendDocuments, type SendReceipt } from './outbox.ts'
import { createStop } from './stop.ts'

export interface ConnectorOptions {
  /** The mailbox that `get` reads (POP3). */ readonly inbound?: Pop3Options | undefined
  /** The server that `send` submits to (SMTP). */ readonly outbound?: SmtpPoolOptions | undefined
  /** Where the connector remembers what was accepted. `get` needs it, or `state: 'memory'`. Made if absent; nobody else may write to it. */
  readonly stateDirectory?: string | undefined
  /** Forget everything with this object: what stays on the server then comes again. */ readonly state?: 'memory' | undefined
  /** Documents, of different messages, that handlers may have at the same time, and that a crash may repeat. @default 1 */
  readonly concurrency?: number | undefined
  /** @default pino on standard error, level info */ readonly logger?: Logger | undefined
}

export interface SendOptions {
  /** Ends the call. */ readonly signal?: AbortSignal | undefined
  /** Told the outcome of each message as soon as it is known, before the next one is sent; a call that is ended has told what it did. */
  readonly onReceipt?: ((receipt: SendReceipt) => unknown) | undefined
}

/** What the connector stands on; tests put something else in its place. @internal */
export interface Ground {
  readonly files: Files
  readonly smtp: (options: SmtpPoolOptions) => Promise<PooledConnection & { readonly tls: TlsFacts | null }>
}

/** A mailbox as a source of documents, and a mail server as a sink for them.
 *
 *  ```ts
 *  await using connector = new MailConnector({ inbound: { host, auth }, stateDirectory: 'state' })
 *  const report = await connector.get({ disposition: 'attachment', deleteFromServer: true }, async (document) => {
 *    await pipeline(document.content, createWriteStream(join(folder, document.safeFileName), { flush: true }))
 *  })
 *  ``` */
export class MailConnector implements AsyncDisposable {
  readonly #inbound: Pop3Options | undefined
  readonly #outbound: SmtpPoolOptions | undefined
  /** The folder, or all that is known. */ readonly #state: string | Ledger | undefined
  readonly #concurrency: number
  readonly #ground: Ground
  readonly #ending = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  readonly #label = `wirepost-${(connectors += 1)}`
  #logger: Logger | undefined
  #stopTracing: (() => void) | undefined
  #pool: SmtpPool | undefined

  /** Throws `ERR_OPTION`. Connects to nothing and writes nothing. */
  constructor(options: ConnectorOptions, ground: Partial<Ground> = {}) {
    demand(typeof options === 'object' && options !== null, 'options', 'an object')
    const { inbound, outbound, stateDirectory, state, concurrency = 1, logger } = options
    if (inbound !== undefined) checkServerOptions(inbound, POP3_DEFAULTS)
    if (outbound !== undefined) checkServerOptions(outbound, SMTP_DEFAULTS)
    const isPath = stateDirectory === undefined || (typeof stateDirectory === 'string' && stateDirectory !== '')
    demand(isPath, 'stateDirectory', 'the path of a folder')
    demand(state === undefined || state === 'memory', 'state', "'memory', or left out")
    demand(state === undefined || stateDirectory === undefined, 'state', 'left out where there is a stateDirectory')
    const isCount = Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY
    demand(isCount, 'concurrency', `a whole number from 1 to ${MAX_CONCURRENCY}`)
    for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'child'] as const) {
      const isThere = logger === undefined || typeof logger[name] === 'function'
      demand(isThere, 'logger', `an object with the functions trace, debug, info, warn, error and child; ${name} is missing`)
    }
    this.#inbound = inbound
    this.#outbound = outbound
    this.#state = stateDirectory === undefined ? (state === 'memory' ? new Ledger() : undefined) : resolve(stateDirectory)
    this.#concurrency = concurrency
    this.#logger = logger
    this.#ground = { files: diskFiles, smtp: (server) => SmtpClient.connect(server), ...ground }
  }

  /** Retrieves what is new, from the oldest message on, and hands each document to `handler`. One that resolves accepts its document; one that
   *  rejects leaves the message, and the rest of its documents, for the next run. A message is deleted only when all its documents were
   *  accepted and that is on disk.
   *
   *  Resolves with a report also when the connection was lost on the way: the message in work is then in `failed`, deletions in `unconfirmed`,
   *  and the reason in the log. Rejects with `ERR_OPTION`, `ERR_STATE`, `ERR_STATE_LOCKED`, `ERR_STATE_DAMAGED`, `ERR_UNIQUE_ID`, and with the
   *  errors of the way to the server until the maildrop is listed.
   *
   *  Aborting `signal` ends the run in order: content can be read no further, handlers get `timeouts.quit` to end, deletions that were decided
   *  are confirmed; then it rejects with `signal.reason`. What was accepted stays accepted. */
  async get(operation: GetOperation, handler: DocumentHandler, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<GetReport> {
    const checked = checkGetOperation(operation)
    demand(typeof handler === 'function', 'handler', 'a function')
    const inbound = this.#inbound
    demand(inbound !== undefined, 'inbound', 'given for get: the mailbox to read')
    const state = this.#state
    demand(state !== undefined, 'stateDirectory', "given for get, so that nothing comes twice after a restart; or say state: 'memory'")
    const folder = typeof state === 'string' ? state : undefined
    demand(checked.handOver === 'direct' || folder !== undefined, 'handOver', "'direct' without a stateDirectory")
    const { host, port, auth, timeouts } = checkServerOptions(inbound, POP3_DEFAULTS)
    const mailbox: Mailbox = { host, port, user: auth?.user ?? '' }
    return this.#track(options.signal, async (signal) => {
      const logger = this.#log.child(safeFields({ mailbox: `${host}:${port}`, user: mailbox.user }))
      // What cannot be written is found out before anything is asked of a server.
      await using _lock = await lockMailbox(folder, mailbox)
      const ledger = typeof state === 'string' ? await Ledger.open(this.#ground.files, state, mailbox) : state
      try {
        const isSpooled = checked.handOver === 'spool' && folder !== undefined
        const spool = isSpooled ? await openSpool(this.#ground.files, folder, mailbox, ledger) : undefined
        using stop = createStop(signal, timeouts.quit)
        const connect = (ending: AbortSignal): Promise<Pop3Client> => {
          const ends = inbound.signal === undefined ? ending : AbortSignal.any([inbound.signal, ending])
          return this.#connect({ ...inbound, signal: ends }, logger, (server) => Pop3Client.connect(server))
        }
        const report = await runInbox({ operation: checked, handler, ledger, spool, mailbox, logger, concurrency: this.#concurrency, connect, stop })
        logger.info(report, 'get ended')
        return report
      } finally {
        await ledger.close().catch((error: unknown) => {
          logger.error(errorFields(error), 'the ledger could not be written to its end; what was accepted last may come again')
        })
        signal.throwIfAborted()
        inbound.signal?.throwIfAborted()
      }
    })
  }

  /**
   * Sends documents, one message each (all in one with `together`), in order; documents are asked for one by one. Resolves with one receipt a
   * message: whatever the server answered; `deferred` with `reply: null` where the connection failed before the final dot, and `refused`
   * with `reply: null` where a later document cannot be sent as it is (the reason is in the log).
   *
   * Rejects when no connection could be made for the first message, with `ERR_OPTION`, `ERR_FROM_MISSING`, `ERR_TO_MISSING`, `ERR_ADDRESS`,
   * `ERR_HEADER` or `ERR_CONTENT` when the first message is wrong, with a `DocumentsError` when `documents` fails, and with `signal.reason`.
   */
  async send(operation: SendOperation, documents: OutgoingDocuments, options: SendOptions = {}): Promise<SendReceipt[]> {
    const checked = checkSendOperation(operation)
    const isIterable = typeof documents === 'object' && documents !== null && (Symbol.asyncIterator in documents || Symbol.iterator in documents)
    demand(isIterable, 'documents', 'an iterable or async iterable of documents')
    const outbound = this.#outbound
    demand(outbound !== undefined, 'outbound', 'given for send: the server to submit to')
    const { host, port, auth } = checkServerOptions(outbound, SMTP_DEFAULTS)
    const user = auth?.user ?? ''
    const logger = this.#log.child(safeFields({ server: `${host}:${port}`, user }))
    const connect = (server: SmtpPoolOptions): Promise<PooledConnection> => this.#connect(server, logger, this.#ground.smtp)
    this.#pool ??= new SmtpPool({ maxConnections: 1, idleMs: IDLE_MS, ...outbound }, connect)
    const outbox = { pool: this.#pool, host, user, logger }
    return this.#track(options.signal, (signal) => sendDocuments(outbox, checked, documents, signal, options.onReceipt))
  }

  /** Ends what is under way as an aborted signal does, then the connections. Never rejects; later calls of `get` and `send` do, with `ERR_CLOSED`. */
  async close(): Promise<void> {
    if (!this.#ending.signal.aborted) this.#ending.abort(new MailError('ERR_CLOSED', 'the connector was closed', { phase: 'options' }))
    await Promise.allSettled(this.#running)
    await this.#pool?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #connect<O extends ServerOptions, C extends { readonly tls: TlsFacts | null }>(
    options: O,
    logger: Logger,
    connect: (options: O) => Promise<C>,
  ): Promise<C> {
    const connection = await connect({ ...options, label: options.label ?? this.#label })
    const { tls } = connection
    if (tls === null) logger.debug({ tls: false }, 'connected in clear text')
    else if (tls.authorized) logger.debug({ version: tls.version, cipher: tls.cipher }, 'connected')
    else logger.warn(safeFields({ version: tls.version, reason: tls.reason }), 'the certificate is not trusted; it was accepted, as the options say')
    return connection
  }

  /** Made when it is first needed: importing and constructing do nothing. */
  get #log(): Logger {
    this.#logger ??= defaultLogger()
    return this.#logger
  }

  async #track<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const both = new AbortController()
    const forget = [this.#ending.signal, signal].map((one) => onAbort(one, (reason) => both.abort(reason)))
    // While somebody works, the dialogue goes to the log.
    this.#stopTracing ??= traceDialogue(this.#log, new Set([this.#inbound, this.#outbound].map((server) => server?.label ?? this.#label)))
    const running = (async () => {
      both.signal.throwIfAborted()
      return work(both.signal)
    })()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
      for (const one of forget) one()
      if (this.#running.size === 0) {
        this.#stopTracing?.()
        this.#stopTracing = undefined
      }
    }
  }
}

const MAX_CONCURRENCY = 1000
const IDLE_MS = 15_000 // who forgets to close the connector does not keep its process for longer
let connectors = 0
