import * as net from 'node:net'
import * as tls from 'node:tls'
import { onAbort } from '../abort.ts'
import { asBuffer } from '../bytes.ts'
import { connectChannel } from '../diagnostics.ts'
import { MailError, type Phase } from '../errors.ts'
import { closedError, connectError, timeoutError, tlsError } from './errors.ts'
import { handshakeFacts, handshakeOptions, isLegacy } from './handshake.ts'
import type { CheckedOptions, TlsFacts, UpgradeOptions } from './options.ts'
import type { Transport } from './transport.ts'

const PLAIN_BUFFER_BYTES = 256 * 1024 // fewer and longer reads of a plain socket; pages that are never filled cost nothing
const TLS_BUFFER_BYTES = 16 * 1024 // one TLS record

/** Node does not return to an address that did not answer in this time (250 ms unless told), so it must be enough for a far server. */
const MAX_ATTEMPT_MS = 1_000

/** Connects, and with security `tls` shakes hands. Rejects with `ERR_HOST_UNKNOWN`, `ERR_CONNECT`, `ERR_TIMEOUT`, an `ERR_TLS_…` or the signal's
 *  reason; nothing is left open then. */
export async function connect(options: CheckedOptions): Promise<Transport> {
  options.signal?.throwIfAborted()
  const transport = new SocketTransport(options)
  await transport.open() // what fails there has destroyed the socket
  return transport
}

const RATE_WINDOW_MS = 60_000
/** Where octets should keep coming. Elsewhere a server may be silent for as long as the timers allow. */
const RATED_PHASES: ReadonlySet<Phase> = new Set(['retr', 'top', 'list', 'uidl'])

/** A socket read on demand: one chunk ahead at most, so that a slow consumer slows the server. While Node allows it (not on an upgraded socket)
 *  it reads into buffers of its own in turn: one is lent to the consumer, one holds the chunk ahead. */
class SocketTransport implements Transport {
  readonly host: string
  readonly port: number
  tls: TlsFacts | null = null
  readonly #options: CheckedOptions
  readonly #buffers: Buffer[] = []
  #socket: net.Socket
  #lent: Buffer | undefined
  /** One chunk, and copies of what came behind it: TLS gives every record of the segment that it has read, also when it was told to stop. */
  readonly #ahead: Buffer[] = []
  /** Settles the read that waits: with a chunk, the end, or the failure. */
  #reader: ((chunk: Buffer | null) => void) | null = null
  #ended = false
  /** Why nothing works any more: a reason that was given to `destroy`, or what the socket said. */
  #failure: { readonly reason: unknown } | { readonly cause: unknown } | undefined
  /** Writes handed to the socket and not finished. */ #writing = 0
  /** Who waits for something else than octets: called at each change. */
  readonly #waiters: (() => void)[] = []
  readonly #measureRead = this.#rateMeter()
  readonly #measureWrite = this.#rateMeter()
  /** A command has left since the last read: the wait that follows is the server's thinking, not its speed. */ #thinking = true
  readonly #forget: () => void

  constructor(options: CheckedOptions) {
    this.#options = options
    this.host = options.host
    this.port = options.port
    const onread = {
      buffer: (): Buffer => this.#freeBuffer(),
      callback: (length: number, buffer: Uint8Array): boolean => this.#arrived(asBuffer(buffer).subarray(0, length)),
    }
    const autoSelectFamilyAttemptTimeout = Math.ceil(Math.min(MAX_ATTEMPT_MS, options.timeouts.connect / 4))
    const address = { host: options.host, port: options.port, onread, autoSelectFamily: true, autoSelectFamilyAttemptTimeout }
    this.#socket = options.security === 'tls' ? tls.connect({ ...handshakeOptions(options.tls), ...address }) : net.connect(address)
    this.#socket.setNoDelay(true)
    this.#socket.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
    this.#forget = onAbort(options.signal, (reason) => this.destroy(reason))
  }

  async open(): Promise<void> {
    const socket = this.#socket
    socket.once('connect', this.#wake)
    await this.#until(() => !socket.connecting, this.#options.timeouts.connect, 'connect', 'does not accept a connection')
    if (socket instanceof tls.TLSSocket) await this.#secured(socket, this.#options.tls)
    socket.resume()
  }

  async upgrade(options: UpgradeOptions): Promise<TlsFacts> {
    if (this.#failure !== undefined) throw this.#failed('tls')
    // Octets that arrived in the clear must not be read as if TLS had protected them (T5).
    if (this.#ahead.length > 0 || this.#reader !== null) {
      const message = `${this.host} sent octets in clear text behind its answer to the upgrade; somebody may be in the way`
      const injected = new MailError('ERR_TLS_INJECTION', message, { phase: 'tls' })
      this.destroy(injected)
      throw injected
    }
    if (this.#ended) throw this.#failed('tls') // Node would wait for an answer all the same
    const secure = tls.connect({ ...handshakeOptions(options), socket: this.#socket })
    // 'error' stays: the wrapped socket may still raise one.
    this.#socket.off('end', this.#onEnd).off('close', this.#onClose)
    this.#socket = secure
    secure.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
    // A second read mode: Node ignores `onread` on a socket that is handed in.
    secure.on('data', (chunk: Buffer) => {
      if (!this.#arrived(chunk)) secure.pause()
    })
    secure.pause()
    const facts = await this.#secured(secure, options)
    secure.resume()
    return facts
  }

  read(phase: Phase, waitMs: number): Promise<Buffer | null> {
    if (this.#reader !== null) return Promise.reject(new MailError('ERR_SESSION_STATE', 'a read is already under way', { phase }))
    const ahead = this.readAhead()
    if (ahead !== null) return Promise.resolve(ahead)
    if (this.#failure !== undefined) return Promise.reject(this.#failed(phase))
    if (this.#ended) return Promise.resolve(null)
    return new Promise((resolve, reject) => {
      const from = performance.now()
      const timer = setTimeout(() => this.destroy(timeoutError(`${this.host} sent nothing`, waitMs, phase)), waitMs)
      this.#reader = (chunk) => {
        clearTimeout(timer)
        this.#reader = null
        const waitedMs = this.#thinking || !RATED_PHASES.has(phase) ? 0 : performance.now() - from
        this.#thinking = false
        if (chunk !== null) this.#measureRead(chunk.length, waitedMs, phase)
        if (this.#failure === undefined) resolve(chunk)
        else reject(this.#failed(phase))
      }
    })
  }

  readAhead(): Buffer | null {
    if (this.#reader !== null) return null
    this.#lent = this.#ahead.shift()
    if (this.#lent === undefined) return null
    this.#thinking = false
    this.#measureRead(this.#lent.length, 0, 'noop')
    if (this.#ahead.length === 0) this.#socket.resume()
    return this.#lent
  }

  async write(views: readonly Uint8Array[], phase: Phase, waitMs: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failed(phase)
    if (this.#ended && this.#socket.writableEnded) throw closedError(undefined, this.host, phase)
    let octets = 0
    for (const view of views) octets += view.length
    if (octets === 0) return
    const socket = this.#socket
    this.#thinking = true
    this.#writing++
    if (views.length > 1) socket.cork()
    const last = views.length - 1
    views.forEach((view, at) => (at === last ? socket.write(view, this.#wrote) : socket.write(view)))
    if (views.length > 1) socket.uncork()
    await this.#taken(1, octets, phase, waitMs)
  }

  async flush(phase: Phase, waitMs: number): Promise<void> {
    for (let most = Math.max(0, this.#writing - 1); most >= 0; most--) await this.#taken(most, 0, phase, waitMs)
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? ''
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  async close(waitMs: number): Promise<void> {
    const socket = this.#socket
    this.#fail(new MailError('ERR_CLOSED', `the connection to ${this.host} is closed`, { phase: 'quit' }))
    if (socket.destroyed) return
    const timer = setTimeout(() => socket.destroy(), waitMs)
    socket.end().resume()
    await new Promise((resolve) => socket.once('close', resolve))
    clearTimeout(timer)
  }

  destroy(reason: unknown): void {
    this.#fail(reason)
    this.#socket.destroy()
  }

  /** Whatever the socket said, this is the reason, unless there was one before. What nobody has read is dropped. */
  #fail(reason: unknown): void {
    if (this.#failure === undefined || !('reason' in this.#failure)) this.#failure = { reason }
    this.#ahead.length = 0
    this.#wake()
  }

  /** A chunk came. Whether to go on reading: not when the consumer has another one before it. */
  #arrived(chunk: Buffer): boolean {
    if (this.#failure !== undefined) return true
    if (this.#reader !== null) {
      this.#lent = chunk
      this.#reader(chunk)
      return true
    }
    this.#ahead.push(this.#ahead.length === 0 ? chunk : Buffer.from(chunk))
    return false
  }

  #freeBuffer(): Buffer {
    const free = this.#buffers.find(({ buffer }) => buffer !== this.#lent?.buffer && buffer !== this.#ahead[0]?.buffer)
    if (free !== undefined) return free
    const buffer = Buffer.allocUnsafeSlow(this.#options.security === 'tls' ? TLS_BUFFER_BYTES : PLAIN_BUFFER_BYTES)
    this.#buffers.push(buffer)
    return buffer
  }

  readonly #wrote = (error?: Error | null): void => {
    this.#writing--
    if (error) this.#failure ??= { cause: error }
    this.#wake()
  }

  /** Who waits looks again; a read that waits learns of a failure. */
  readonly #wake = (): void => {
    if (this.#failure !== undefined) this.#reader?.(null)
    for (const waiter of this.#waiters.splice(0)) waiter()
  }

  /** Waits until `done`. The end of everything rejects instead; the deadline is such an end. */
  async #until(done: () => boolean, waitMs: number, phase: Phase, fault: string): Promise<void> {
    if (this.#failure === undefined && !done()) {
      const timer = setTimeout(() => this.destroy(timeoutError(`${this.host} ${fault}`, waitMs, phase)), waitMs)
      while (this.#failure === undefined && !this.#socket.destroyed && !done()) await new Promise<void>((resolve) => this.#waiters.push(resolve))
      clearTimeout(timer)
    }
    if (this.#failure !== undefined || !done()) throw this.#failed(phase)
  }

  async #taken(most: number, octets: number, phase: Phase, waitMs: number): Promise<void> {
    const from = performance.now()
    await this.#until(() => this.#writing <= most, waitMs, phase, 'took nothing')
    this.#measureWrite(octets, performance.now() - from, phase)
    if (this.#failure !== undefined) throw this.#failed(phase)
  }

  /** Watches the minimum rate over what was waited for, which an idle timer cannot: one octet every few seconds would last for ever (H44). */
  #rateMeter(): (octets: number, waitedMs: number, phase: Phase) => void {
    let moved = 0
    let waited = 0
    return (octets, waitedMs, phase) => {
      moved += octets
      waited += waitedMs
      if (waited < RATE_WINDOW_MS) return
      const { minimumRate } = this.#options
      const slow = `${this.host} moves less than ${minimumRate} octets a second`
      if (moved < (minimumRate * waited) / 1000) this.destroy(new MailError('ERR_TIMEOUT', slow, { phase, transient: true }))
      moved = 0
      waited = 0
    }
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#reader?.(null)
  }

  readonly #onError = (error: Error): void => {
    this.#failure ??= { cause: error }
    this.#wake()
  }

  readonly #onClose = (): void => {
    if (!this.#ended) this.#failure ??= { cause: undefined } // after a clean end, reads go on saying so
    this.#forget()
    this.#wake()
  }

  #failed(phase: Phase): unknown {
    if (this.#failure !== undefined && 'reason' in this.#failure) return this.#failure.reason
    const cause = this.#failure?.cause
    if (phase === 'connect') return connectError(cause, this.host, this.port)
    return phase === 'tls' ? tlsError(cause, this.host) : closedError(cause, this.host, phase)
  }

  async #secured(socket: tls.TLSSocket, options: UpgradeOptions): Promise<TlsFacts> {
    let secure = false
    socket.once('secureConnect', () => {
      secure = true
      this.#wake()
    })
    try {
      await this.#until(() => secure, options.handshakeMs, 'tls', 'does not finish the TLS handshake')
      this.tls = handshakeFacts(socket, options)
      if (connectChannel.hasSubscribers) this.#publish(this.tls, isLegacy(options.minVersion))
      return this.tls
    } catch (error) {
      this.destroy(error)
      throw error
    }
  }

  #publish(facts: TlsFacts, legacy: boolean): void {
    const { host, port, label } = this.#options
    const warnings: string[] = []
    if (!facts.authorized) warnings.push(`the certificate of ${host} is accepted although it is not trusted: ${facts.reason}`)
    if (legacy) warnings.push(`TLS versions below 1.2 are allowed for ${host}, and with them weak signatures and ciphers`)
    connectChannel.publish({ host, port, label, line: `${facts.version} ${facts.cipher}`, tls: facts, warnings })
  }
}
