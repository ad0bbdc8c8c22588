import type { TlsFacts } from '../../../src/tls/options.ts'
import type { Transport } from '../../../src/tls/transport.ts'

/** A server in memory: `answer` says what comes back for what was written. Chunks are lent, as a socket lends them. */
export class AnsweringTransport implements Transport {
  readonly host = 'memory.test'
  readonly port = 1
  readonly localAddress = '127.0.0.1'
  readonly tls: TlsFacts | null = null
  destroyed = false
  readonly #answer: (octets: Buffer) => readonly Buffer[]
  readonly #chunks: Buffer[]
  #reader: ((chunk: Buffer | null) => void) | undefined

  constructor(greeting: string, answer: (octets: Buffer) => readonly Buffer[]) {
    this.#chunks = [Buffer.from(greeting)]
    this.#answer = answer
  }

  read(): Promise<Buffer | null> {
    if (this.destroyed) return Promise.resolve(null)
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) return Promise.resolve(chunk)
    return new Promise((resolve) => (this.#reader = resolve))
  }

  readAhead(): Buffer | null {
    return this.#chunks.shift() ?? null
  }

  async write(views: readonly Uint8Array[]): Promise<void> {
    this.#chunks.push(...this.#answer(Buffer.concat(views)))
    const reader = this.#reader
    const chunk = reader && this.#chunks.shift()
    if (chunk === undefined) return
    this.#reader = undefined
    reader?.(chunk)
  }

  async flush(): Promise<void> {}

  upgrade(): Promise<TlsFacts> {
    return Promise.reject(new Error('there is no TLS in memory'))
  }

  async close(): Promise<void> {
    this.destroy()
  }

  destroy(): void {
    this.destroyed = true
    this.#reader?.(null)
    this.#reader = undefined
  }
}
