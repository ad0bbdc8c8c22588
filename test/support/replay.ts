import { MailError, type Phase } from '../../src/errors.ts'
import type { TlsFacts, UpgradeOptions } from '../../src/tls/options.ts'
import type { Transport } from '../../src/tls/transport.ts'
import { MEMORY_TLS } from './memory-transport.ts'

/** How much one read gives: an octet, or all that the server says before it waits again. */
export const READINGS = ['whole', 'octet'] as const
export type Reading = (typeof READINGS)[number]

export interface ReplayOptions {
  /** @default 'whole' */
  readonly reading?: Reading
  /** TLS from the start. `*: TLS` in the transcript is an upgrade in place. @default false */
  readonly tls?: boolean
  /**
   * `strict`: nothing may be written before all that the server said before it was read. `free`: what is written is compared with all `C`
   * lines one after another, however far the answers are (pipelining, content on its way). @default 'strict'
   */
  readonly order?: 'strict' | 'free'
}

type Step =
  | { readonly kind: 'client' | 'server'; readonly octets: Buffer; readonly line: number }
  | { readonly kind: 'TLS' | 'close' | 'silence'; readonly line: number }

/**
 * A server that follows a transcript and fails at the first octet that differs. Each line begins, after its indentation, with one of:
 *
 * - `C: ` what the client sends, `S: ` what the server sends, each with CRLF added; `C| ` and `S| ` the same without
 * - `*: TLS` the connection is upgraded here; `*: close` the server closes; `*: silence` the deadline of the waiting read passes
 * - `# ` a note
 *
 * `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` are octets; other characters are written as UTF-8. After the run, `finish()` throws the first
 * failure, or says what is left of the transcript.
 */
export class ReplayTransport implements Transport {
  readonly host = 'replay.test'
  readonly port = 1
  readonly localAddress = '127.0.0.1'
  /** `close` was called. */
  closed = false
  /** The options of each upgrade. */
  readonly upgrades: UpgradeOptions[] = []
  readonly #steps: readonly Step[]
  readonly #reading: Reading
  readonly #order: 'strict' | 'free'
  #tls: TlsFacts | null
  /** Where the server and the client are: step and octet in it. */
  #said = 0
  #saidOctets = 0
  #written = 0
  #writtenOctets = 0
  #wake: (() => void) | undefined
  #lent: Buffer | undefined
  #failure: Error | undefined
  /** An upgrade was refused because of octets before it: nothing after it can be played. */
  #injected = false
  #destroyed = false
  #reason: unknown

  constructor(transcript: string, options: ReplayOptions = {}) {
    this.#steps = parseTranscript(transcript)
    this.#reading = options.reading ?? 'whole'
    this.#order = options.order ?? 'strict'
    this.#tls = options.tls === true ? MEMORY_TLS : null
    this.#settle()
  }

  /** Throws the first failure, or when the transcript was not played to its end. */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure
    const left = Math.min(this.#said, this.#written)
    const step = this.#steps[left]
    if (step !== undefined && !this.#injected && !(step.kind === 'close' || step.kind === 'silence'))
      throw new Error(`the transcript was left at line ${step.line}: ${describe(step)}`)
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

  async read(phase: Phase): Promise<Buffer | null> {
    if (this.#wake !== undefined) throw this.#fail('two reads at once')
    // Who keeps a borrowed chunk past the next read finds it overwritten.
    this.#lent?.fill(0xaa)
    this.#lent = undefined
    await this.#turn()
    this.#check()
    const step = this.#steps[this.#said]
    if (step === undefined) throw this.#fail(`the transcript is over and the client still reads (${phase})`)
    if (step.kind === 'close') return null
    if (step.kind === 'silence') {
      const timeout = new MailError('ERR_TIMEOUT', `no octets in the ${phase} phase`, { phase, transient: true })
      this.destroy(timeout)
      throw timeout
    }
    if (step.kind !== 'server') throw this.#fail(`the client reads (${phase}) where it should send: line ${step.line}: ${describe(step)}`)
    return this.#say()
  }

  async write(views: readonly Uint8Array[]): Promise<void> {
    this.#check()
    for (const octet of Buffer.concat(views)) this.#take(octet)
    this.#settle()
    this.#wake?.()
  }

  async flush(): Promise<void> {
    this.#check()
  }

  async upgrade(options: UpgradeOptions): Promise<TlsFacts> {
    this.#check()
    this.upgrades.push(options)
    const step = this.#steps[this.#said]
    if (step?.kind === 'server') {
      const injected = new MailError('ERR_TLS_INJECTION', 'octets before the handshake', { phase: 'tls' })
      this.#injected = true
      this.destroy(injected)
      throw injected
    }
    if (step?.kind !== 'TLS' || this.#written !== this.#said) throw this.#fail('an upgrade where the transcript has none')
    this.#said = ++this.#written
    this.#settle()
    this.#tls = MEMORY_TLS
    return MEMORY_TLS
  }

  async close(): Promise<void> {
    this.closed = true
    this.destroy(new MailError('ERR_CLOSED', 'closed', { phase: 'quit' }))
  }

  destroy(reason: unknown): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#reason = reason
    this.#wake?.()
  }

  /** Waits until the client has written what the next answer waits for; after the transcript, until it ends the connection. Who never does is found by
   *  counting turns, not by a clock. */
  async #turn(): Promise<void> {
    for (let turns = 0; !this.#destroyed && (this.#steps[this.#said]?.kind ?? 'client') === 'client' && turns < 2_000; turns++) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setImmediate(resolve)
      })
    }
    this.#wake = undefined
  }

  #say(): Buffer {
    const pieces: Buffer[] = []
    for (let step = this.#steps[this.#said]; step?.kind === 'server'; step = this.#steps[this.#said]) {
      const rest = step.octets.subarray(this.#saidOctets)
      if (this.#reading === 'octet' && rest.length > 1) {
        this.#saidOctets++
        return this.#lend(rest.subarray(0, 1))
      }
      pieces.push(rest)
      this.#saidOctets = 0
      this.#said++
      this.#settle()
      if (this.#reading === 'octet') break
    }
    return this.#lend(Buffer.concat(pieces))
  }

  #lend(chunk: Buffer): Buffer {
    this.#lent = Buffer.from(chunk)
    return this.#lent
  }

  #take(octet: number): void {
    const step = this.#steps[this.#written]
    const got = JSON.stringify(String.fromCharCode(octet))
    if (step === undefined) throw this.#fail(`the transcript is over and the client still writes ${got}`)
    if (step.kind !== 'client') throw this.#fail(`the client writes ${got} where it should wait: line ${step.line}: ${describe(step)}`)
    const wanted = step.octets[this.#writtenOctets]
    if (octet !== wanted) {
      const before = step.octets.subarray(0, this.#writtenOctets).toString('latin1')
      throw this.#fail(
        `line ${step.line}: after ${JSON.stringify(before)} the client writes ${got}, not ${JSON.stringify(String.fromCharCode(wanted ?? 0))}`,
      )
    }
    this.#writtenOctets++
    if (this.#writtenOctets < step.octets.length) return
    this.#writtenOctets = 0
    this.#written++
    this.#settle()
  }

  /** The server's place passes what was written, the client's place passes what the server says. */
  #settle(): void {
    while (this.#said < this.#written && this.#steps[this.#said]?.kind === 'client') this.#said++
    while (this.#steps[this.#written]?.kind === 'server' && (this.#order === 'free' || this.#written < this.#said)) this.#written++
    while (this.#said < this.#written && this.#steps[this.#said]?.kind === 'client') this.#said++
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#destroyed) throw this.#reason
  }

  #fail(message: string): Error {
    this.#failure ??= new Error(`replay: ${message}`)
    this.destroy(this.#failure)
    return this.#failure
  }
}

function parseTranscript(transcript: string): Step[] {
  const steps: Step[] = []
  for (const [index, indented] of transcript.split('\n').entries()) {
    const text = indented.trimStart()
    const line = index + 1
    if (text === '' || text.startsWith('#')) continue
    const mark = text.slice(0, 2)
    const octets = unescape(text.slice(text[2] === ' ' ? 3 : 2))
    if (mark === 'C:' || mark === 'S:')
      steps.push({ kind: mark === 'C:' ? 'client' : 'server', octets: Buffer.concat([octets, Buffer.from('\r\n')]), line })
    else if (mark === 'C|' || mark === 'S|') steps.push({ kind: mark === 'C|' ? 'client' : 'server', octets, line })
    else if (mark === '*:') {
      const kind = octets.toString().trim()
      if (kind !== 'TLS' && kind !== 'close' && kind !== 'silence') throw new Error(`line ${line}: unknown event ${kind}`)
      steps.push({ kind, line })
    } else throw new Error(`line ${line} of the transcript begins with none of C: S: C| S| *: #`)
  }
  return steps
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }

function unescape(text: string): Buffer {
  const pieces: Buffer[] = []
  for (const match of text.matchAll(/\\x([0-9a-fA-F]{2})|\\([rnt0\\])|([^\\]+)/g)) {
    const [, hex, name, plain] = match
    if (hex !== undefined) pieces.push(Buffer.from(hex, 'hex'))
    else pieces.push(Buffer.from(name === undefined ? (plain ?? '') : (ESCAPES[name] ?? '')))
  }
  return Buffer.concat(pieces)
}

function describe(step: Step): string {
  if (step.kind === 'client' || step.kind === 'server')
    return `${step.kind === 'client' ? 'C' : 'S'}: ${JSON.stringify(step.octets.toString('latin1'))}`
  return `*: ${step.kind}`
}
