import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'

/** The octets of a message, as often as they are asked for: lines end in CRLF, dots are not doubled. */
export interface MessageSource {
  readonly octets: number
  open(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** Frees what holds them. */
  discard?(): Promise<void>
}

export interface StoredMessage {
  readonly uniqueId: string
  readonly source: MessageSource
}

/** The messages of one user, in the order in which they came. SMTP servers add to it, POP3 servers serve it. */
export class Maildrop {
  #messages: StoredMessage[] = []
  #sequence = 0
  #locked = false

  get messages(): readonly StoredMessage[] {
    return this.#messages
  }

  /** Takes a message in and gives its unique-id. */
  add(message: string | Uint8Array | MessageSource, uniqueId?: string): string {
    const source = typeof message === 'string' || message instanceof Uint8Array ? octetsSource(message) : message
    this.#sequence++
    const id = uniqueId ?? `m${this.#sequence.toString().padStart(6, '0')}`
    this.#messages.push({ uniqueId: id, source })
    return id
  }

  async remove(messages: ReadonlySet<StoredMessage>): Promise<void> {
    this.#messages = this.#messages.filter((message) => !messages.has(message))
    for (const { source } of messages) await source.discard?.()
  }

  async clear(): Promise<void> {
    await this.remove(new Set(this.#messages))
  }

  /** One session at a time (RFC 1939 §8). False when somebody has it. */
  lock(): boolean {
    if (this.#locked) return false
    this.#locked = true
    return true
  }

  unlock(): void {
    this.#locked = false
  }
}

export function octetsSource(message: string | Uint8Array): MessageSource {
  const octets = typeof message === 'string' ? Buffer.from(message) : message
  return { octets: octets.length, open: () => [octets] }
}

/** A message in a file. */
export async function fileSource(path: string): Promise<MessageSource> {
  const { size } = await stat(path)
  return { octets: size, open: () => createReadStream(path, { highWaterMark: 262_144 }), discard: () => rm(path, { force: true }) }
}

/** All octets of a source, for messages that fit into memory. */
export async function readSource(source: MessageSource): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source.open()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
