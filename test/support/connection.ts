import type { Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { serverTls, type ServerTls } from './server-tls.ts'

const LF = 10
const READ_AHEAD = 65_536

/** The server's side of one connection: lines in, octets out with back-pressure, TLS in place. Every wait ends when the peer leaves. */
export class Connection {
  readonly #raw: Socket
  #socket: Socket
  #pending: Buffer[] = []
  #pendingOctets = 0
  /** What is pending was searched for a line end, up to its last chunks. */
  #searched = 0
  #ended = false
  #wake: (() => void) | undefined
  #octetsOut = 0

  constructor(socket: Socket) {
    this.#raw = socket
    this.#socket = socket
    socket.setNoDelay(true)
    this.#listen()
  }

  /** The next line without its line end, as latin1; `null` when the peer closed its side. */
  async readLine(): Promise<string | null> {
    for (;;) {
      const line = this.#takeLine()
      if (line !== undefined) return line
      if (this.#ended) return null
      await this.#more()
    }
  }

  /** Whatever arrives next; `null` when the peer closed its side. */
  async read(): Promise<Buffer | null> {
    while (this.#pendingOctets === 0) {
      if (this.#ended) return null
      await this.#more()
    }
    return this.#takeAll()
  }

  /** Octets that arrived and that nobody read yet. */
  get unread(): number {
    return this.#pendingOctets
  }

  /** Sends, and settles when the peer takes more. Gives false when it has left. */
  async write(octets: string | Uint8Array): Promise<boolean> {
    if (this.#socket.destroyed || !this.#socket.writable) return false
    const chunk = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    this.#octetsOut += chunk.length
    if (!this.#socket.write(chunk)) await this.#until('drain')
    return !this.#socket.destroyed
  }

  /** Sends in a segment of its own, as far as the loopback interface allows: settles when the octets have left. */
  async writeAlone(octets: string | Uint8Array): Promise<boolean> {
    if (this.#socket.destroyed || !this.#socket.writable) return false
    const chunk = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    this.#octetsOut += chunk.length
    await new Promise<void>((resolve) => {
      this.#socket.write(chunk, () => resolve())
    })
    await new Promise(setImmediate)
    return !this.#socket.destroyed
  }

  /** Sends `goAhead` and changes to TLS in place; what arrives from now on is the handshake. Rejects when it fails. */
  async upgrade(tls: ServerTls, goAhead = ''): Promise<void> {
    if (goAhead !== '') this.#socket.write(goAhead)
    const plain = this.#socket
    plain.removeAllListeners('data').removeAllListeners('end')
    plain.pause()
    const options = serverTls(tls)
    const secure = new TLSSocket(plain, { ...options, isServer: true, secureContext: createSecureContext(options) })
    this.#socket = secure
    secure.on('error', () => secure.destroy())
    plain.on('close', () => secure.destroy())
    await new Promise<void>((resolve, reject) => {
      secure.once('secure', () => resolve())
      secure.once('close', () => reject(new Error('the handshake did not finish')))
    })
    this.#listen()
  }

  /** Settles when the peer closed its side. What it says before is not read: once the buffers are full, it has to wait. */
  async left(): Promise<void> {
    if (this.#ended || this.#socket.destroyed) return
    await this.#until('end')
  }

  /** FIN, after everything that was written. */
  end(): void {
    this.#socket.end()
  }

  /** FIN without TLS's goodbye (close_notify). */
  cut(): void {
    this.#raw.end()
  }

  /** RST. */
  reset(): void {
    if (!this.#raw.destroyed) this.#raw.resetAndDestroy()
    this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  get secure(): boolean {
    return this.#socket instanceof TLSSocket
  }

  get tlsVersion(): string | null {
    return this.#socket instanceof TLSSocket ? this.#socket.getProtocol() : null
  }

  /** Octets given to `write`, before TLS. */
  get octetsOut(): number {
    return this.#octetsOut
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      this.#pending.push(chunk)
      this.#pendingOctets += chunk.length
      if (this.#pendingOctets > READ_AHEAD) socket.pause()
      this.#notify()
    })
    socket.on('end', () => this.#finish())
    socket.on('close', () => this.#finish())
    socket.on('error', () => socket.destroy())
  }

  #finish(): void {
    this.#ended = true
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  async #more(): Promise<void> {
    this.#socket.resume()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  async #until(event: 'drain' | 'end'): Promise<void> {
    const socket = this.#socket
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off(event, done).off('close', done)
        resolve()
      }
      socket.on(event, done).on('close', done)
    })
  }

  #takeLine(): string | undefined {
    if (!this.#pending.some((chunk, index) => index >= this.#searched && chunk.includes(LF))) {
      this.#searched = this.#pending.length
      return undefined
    }
    const all = this.#takeAll()
    const at = all.indexOf(LF)
    this.#pending = at + 1 < all.length ? [all.subarray(at + 1)] : []
    this.#pendingOctets = all.length - at - 1
    return all.toString('latin1', 0, at).replace(/\r$/, '')
  }

  #takeAll(): Buffer {
    const all = this.#pending.length === 1 ? (this.#pending[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingOctets = 0
    this.#searched = 0
    return all
  }
}
