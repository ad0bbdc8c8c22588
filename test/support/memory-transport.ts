import { MailError, type Phase } from '../../src/errors.ts'
import type { TlsFacts, UpgradeOptions } from '../../src/tls/options.ts'
import type { Transport } from '../../src/tls/transport.ts'

export const MEMORY_TLS: TlsFacts = { version: 'TLSv1.3', cipher: 'MEMORY', authorized: true, validTo: new Date('2099-01-01T00:00:00Z') }

interface Reader {
  readonly phase: Phase
  readonly resolve: (chunk: Buffer | null) => void
  readonly reject: (reason: unknown) => void
}

/** One read or write that the code under test asked for, and how long it would have waited. */
export interface Asked {
  readonly what: 'read' | 'write' | 'flush' | 'close'
  readonly phase: Phase | undefined
  readonly waitMs: number
}

/**
 * A Transport without a network: the test is the server. `feed` gives octets, `finish` closes the server's side, `expire` ends the waiting
 * read as a deadline would. Chunks that were given out are overwritten at the next read, so that whoever keeps a borrowed one is found out.
 */
export class MemoryTransport implements Transport {
  readonly host = 'memory.test'
  readonly port = 1
  readonly localAddress = '127.0.0.1'
  /** All that was written, in order. */
  readonly sent: Buffer[] = []
  readonly asked: Asked[] = []
  /** The options of each upgrade. */
  readonly upgrades: UpgradeOptions[] = []
  /** Called after each write with what was written. */
  onWrite: ((octets: Buffer) => void) | undefined
  closed = false
  destroyedWith: unknown
  #tls: TlsFacts | null
  #destroyed = false
  readonly #queue: (Buffer | null)[] = []
  #reader: Reader | undefined
  #lent: Buffer | undefined

  constructor(tls: TlsFacts | null = MEMORY_TLS) {
    this.#tls = tls
  }

  feed(octets: string | Uint8Array): void {
    this.#give(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : Buffer.from(octets))
  }

  /** The server closes its side. */
  finish(): void {
    this.#give(null)
  }

  /** The deadline of the waiting read passes. */
  expire(): void {
    const reader = this.#reader
    if (reader === undefined) throw new Error('no read is waiting')
    this.destroy(new MailError('ERR_TIMEOUT', `no octets in the ${reader.phase} phase`, { phase: reader.phase, transient: true }))
  }

  /** What was written, as one character an octet. */
  get sentText(): string {
    return Buffer.concat(this.sent).toString('latin1')
  }

  /** A read is waiting for octets. */
  get waiting(): boolean {
    return this.#reader !== undefined
  }

  get tls(): TlsFacts | null {
    return this.#tls
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  /** The server of a test speaks when it is read. */
  readAhead(): null {
    return null
  }

  read(phase: Phase, waitMs: number): Promise<Buffer | null> {
    this.asked.push({ what: 'read', phase, waitMs })
    if (this.#reader !== undefined) throw new Error('two reads at once')
    this.#lent?.fill(0xaa)
    this.#lent = undefined
    if (this.#destroyed) return Promise.reject(this.#reason())
    const chunk = this.#queue.shift()
    if (chunk !== undefined) return Promise.resolve(this.#lend(chunk))
    return new Promise((resolve, reject) => {
      this.#reader = { phase, resolve, reject }
    })
  }

  write(views: readonly Uint8Array[], phase: Phase, waitMs: number): Promise<void> {
    this.asked.push({ what: 'write', phase, waitMs })
    if (this.#destroyed) return Promise.reject(this.#reason())
    const octets = Buffer.concat(views)
    this.sent.push(octets)
    this.onWrite?.(octets)
    return Promise.resolve()
  }

  flush(phase: Phase, waitMs: number): Promise<void> {
    this.asked.push({ what: 'flush', phase, waitMs })
    return this.#destroyed ? Promise.reject(this.#reason()) : Promise.resolve()
  }

  upgrade(options: UpgradeOptions): Promise<TlsFacts> {
    this.upgrades.push(options)
    if (this.#queue.length > 0) {
      const injected = new MailError('ERR_TLS_INJECTION', 'octets before the handshake', { phase: 'tls' })
      this.destroy(injected)
      return Promise.reject(injected)
    }
    this.#tls = MEMORY_TLS
    return Promise.resolve(MEMORY_TLS)
  }

  close(waitMs: number): Promise<void> {
    this.asked.push({ what: 'close', phase: undefined, waitMs })
    this.closed = true
    this.destroy(new MailError('ERR_CLOSED', 'closed', { phase: 'quit' }))
    return Promise.resolve()
  }

  destroy(reason: unknown): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.destroyedWith = reason
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(this.#reason())
  }

  #reason(): Error {
    return this.destroyedWith instanceof Error ? this.destroyedWith : new Error('destroyed', { cause: this.destroyedWith })
  }

  #give(chunk: Buffer | null): void {
    const reader = this.#reader
    this.#reader = undefined
    if (reader === undefined) this.#queue.push(chunk)
    else reader.resolve(this.#lend(chunk))
  }

  #lend(chunk: Buffer | null): Buffer | null {
    this.#lent = chunk ?? undefined
    return chunk
  }
}
