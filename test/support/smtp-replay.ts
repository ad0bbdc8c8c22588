import type { Channel } from 'node:diagnostics_channel'
import { expect } from 'vitest'
import { SmtpClient } from '../../src/smtp/client.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import { READINGS, ReplayTransport, type ReplayOptions } from './replay.ts'

/** Plays the transcript against a new SmtpClient, whole and octet by octet, and fails at the first octet that differs. */
export async function replaySmtp(
  transcript: string,
  run: (connect: () => Promise<SmtpClient>, transport: ReplayTransport) => Promise<void>,
  { order, tls, ...options }: Partial<SmtpOptions> & Pick<ReplayOptions, 'order'> = {},
): Promise<void> {
  for (const reading of READINGS) {
    const security = options.security ?? 'none'
    const transport = new ReplayTransport(transcript, { reading, tls: security === 'tls', ...(order === undefined ? {} : { order }) })
    const connect = (): Promise<SmtpClient> =>
      SmtpClient.over(transport, { host: 'replay.test', clientName: 'c.test', ...(tls === undefined ? {} : { tls }), ...options, security })
    await run(connect, transport)
    transport.finish()
  }
}

/** The common case: connect, do something, quit. */
export async function converse(
  transcript: string,
  run: (client: SmtpClient, transport: ReplayTransport) => Promise<void>,
  options: Parameters<typeof replaySmtp>[2] = {},
): Promise<void> {
  await replaySmtp(
    transcript,
    async (connect, transport) => {
      const client = await connect()
      await run(client, transport)
      await client.quit()
      expect(transport.closed || transport.destroyed).toBe(true)
    },
    options,
  )
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was to reject')
}

/** Content in chunks, with a turn of the event loop before each. */
export async function* chunks(...texts: (string | Uint8Array)[]): AsyncGenerator<Buffer> {
  for (const text of texts) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    yield typeof text === 'string' ? Buffer.from(text, 'latin1') : Buffer.from(text)
  }
}

/** A value that the types do not allow, as JavaScript would hand it in. */
export function untyped(value: unknown): never
export function untyped(value: unknown): unknown {
  return value
}

/** Collects what is published on the channels while `run` runs. */
export async function published(channels: readonly Channel[], run: () => Promise<void>): Promise<string[]> {
  const lines: string[] = []
  const listen = (message: unknown): void => {
    lines.push(typeof message === 'object' && message !== null && 'line' in message ? String(message.line) : '?')
  }
  for (const channel of channels) channel.subscribe(listen)
  try {
    await run()
  } finally {
    for (const channel of channels) channel.unsubscribe(listen)
  }
  return lines
}
