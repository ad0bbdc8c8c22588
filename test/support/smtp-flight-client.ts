import { afterEach, beforeEach, expect, vi } from 'vitest'
import { SmtpClient } from '../../src/smtp/client.ts'
import type { Envelope } from '../../src/smtp/envelope.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import { SmtpPool, type SmtpPoolOptions } from '../../src/smtp/pool.ts'
import type { Receipt } from '../../src/smtp/transaction.ts'
import { SmtpFlightServer, type FlightOptions } from './smtp-flights.ts'
import { chunks } from './smtp-replay.ts'

/** A client over a server in memory, after its EHLO. */
export async function overFlights(
  server: FlightOptions = {},
  options: Partial<SmtpOptions> = {},
): Promise<{ client: SmtpClient; server: SmtpFlightServer }> {
  const flights = new SmtpFlightServer(server)
  return { client: await SmtpClient.over(flights, { host: 'flights.test', clientName: 'c.test', ...options }), server: flights }
}

/** A message that no other is like. */
export interface Numbered {
  readonly envelope: Envelope
  readonly content: Buffer
}

/** @param length of its last line */
export function numbered(number: number, options: Envelope['options'] = {}, length = number % 50): Numbered {
  const content = Buffer.from(`Subject: ${number}\r\n\r\n.dot\r\n${'x'.repeat(length)}\r\n`)
  return { envelope: { from: `s${number}@x.test`, to: [`r${number}@x.test`, `q${number}@x.test`], options }, content }
}

export const manyNumbered = (count: number, options: Envelope['options'] = {}): Numbered[] =>
  Array.from({ length: count }, (_, number) => numbered(number, options))

/** The server holds these and no others, in this order, each with its own envelope. @param withoutPath recipients that were refused */
export function expectStored(server: SmtpFlightServer, sent: readonly Numbered[], withoutPath: (address: string) => boolean = () => false): void {
  const held = server.stored.map(({ mail, rcpt, octets }) => ({
    from: /<(.*?)>/.exec(mail)?.[1],
    to: rcpt.map(pathOf),
    octets: octets.toString('latin1'),
  }))
  const expected = sent.map(({ envelope: { from, to }, content }) => ({
    from,
    to: to.map((one) => (typeof one === 'string' ? one : one.address)).filter((address) => !withoutPath(address)),
    octets: content.toString('latin1'),
  }))
  expect(held).toEqual(expected)
}

const pathOf = (line: string): string => /<(.*?)>/.exec(line)?.[1] ?? ''

/** Turns of the event loop until it is true. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 1000) throw new Error('it never came true')
    await turn()
  }
}

export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

/** Lets faked time pass until it is done, some milliseconds at a time, with turns of the event loop between. */
export async function advance<T>(promise: Promise<T>, stepMs = 1): Promise<T> {
  const state = { isDone: false }
  const end = (): void => void (state.isDone = true)
  promise.then(end, end)
  for (let steps = 0; !state.isDone; steps++) {
    if (steps > 20_000) throw new Error('it never ends')
    for (let turns = 0; turns < 4; turns++) await turn()
    if (!state.isDone) await vi.advanceTimersByTimeAsync(stepMs)
  }
  return promise
}

/** What a pool had to do with its servers. */
export interface Pooled {
  readonly pool: SmtpPool
  /** The oldest first. */ readonly servers: SmtpFlightServer[]
  /** When each was connected to, by `performance.now()`. */ readonly begun: number[]
  /** The most connections at a time, those that are being made and left included. */ readonly most: () => number
  /** Those that are open now. */ readonly open: () => SmtpFlightServer[]
}

/** A pool over servers in memory. @param server for the connection of that number, from 0 */
export function pooled(options: Partial<SmtpPoolOptions> = {}, server: (number: number) => FlightOptions = () => ({})): Pooled {
  const servers: SmtpFlightServer[] = []
  const begun: number[] = []
  let most = 0
  const open = (): SmtpFlightServer[] => servers.filter(({ destroyed }) => !destroyed)
  const pool = new SmtpPool({ host: 'flights.test', clientName: 'c.test', ...options }, (to) => {
    const flights = new SmtpFlightServer(server(servers.length))
    servers.push(flights)
    begun.push(performance.now())
    most = Math.max(most, open().length)
    return SmtpClient.over(flights, to)
  })
  return { pool, servers, begun, most: () => most, open }
}

/** One message through a pool. */
export const submitTo = ({ pool }: Pooled, { envelope, content }: Numbered): Promise<Receipt> => pool.submit(envelope, () => chunks(content))

/** Submits, lets faked time pass until all are accepted, and gives how long it took. */
export async function taking(all: Pooled, messages: readonly Numbered[]): Promise<number> {
  const from = performance.now()
  const receipts = await advance(Promise.all(messages.map((message) => submitTo(all, message))))
  expect(receipts.map(({ outcome }) => outcome)).toEqual(messages.map(() => 'accepted'))
  return performance.now() - from
}

/** For all tests of a file: time passes only when it is told to, and chance takes nothing off a back-off. */
export function inFakedTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    vi.spyOn(Math, 'random').mockReturnValue(0)
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
}

/** Lets faked time pass, and what follows from it happen. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  for (let turns = 0; turns < 6; turns++) await turn()
}

/** How many command lines of a server begin like this. */
export const count = (server: SmtpFlightServer | undefined, verb: string): number =>
  (server?.lines ?? []).filter((line) => line.startsWith(verb)).length
