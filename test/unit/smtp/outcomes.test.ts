import { describe, expect, test } from 'vitest'
import type { SmtpOptions } from '../../../src/smtp/options.ts'
import { expectStored, manyNumbered, overFlights, turn, until, type Numbered } from '../../support/smtp-flight-client.ts'
import type { FlightOptions, SmtpFlightServer } from '../../support/smtp-flights.ts'
import { chunks, rejection } from '../../support/smtp-replay.ts'

const BOTH = ['PIPELINING', 'CHUNKING', '8BITMIME']

/** Every way to send several messages. */
const WAYS: [name: string, options: Partial<SmtpOptions>, extensions: string[]][] = [
  ['none', { pipelining: 'none' }, BOTH],
  ['envelope', {}, BOTH],
  ['envelope, BDAT', { chunking: true }, BOTH],
  ['overlap', { pipelining: 'overlap' }, BOTH],
  ['overlap, BDAT', { pipelining: 'overlap', chunking: true }, BOTH],
  ['transaction', { pipelining: 'transaction' }, BOTH],
  ['back-to-back', { pipelining: 'back-to-back' }, BOTH],
  ['back-to-back without CHUNKING', { pipelining: 'back-to-back' }, ['PIPELINING']],
]

type Settled = string | { readonly code: unknown }

/** Submits all at once: what became of each. */
async function outcomes(
  messages: readonly Numbered[],
  options: Partial<SmtpOptions>,
  server: FlightOptions,
): Promise<{ all: Settled[]; server: SmtpFlightServer }> {
  const { client, server: flights } = await overFlights(server, options)
  const settled = await Promise.allSettled(messages.map(({ envelope, content }) => client.submit(envelope, content)))
  return { all: settled.map(outcomeOf), server: flights }
}

const outcomeOf = (one: PromiseSettledResult<{ outcome: string }>): Settled =>
  one.status === 'fulfilled' ? one.value.outcome : { code: one.reason instanceof Error && 'code' in one.reason ? one.reason.code : one.reason }

describe.each(WAYS)('%s: in the middle of others', (_name, options, extensions) => {
  const FIVE = manyNumbered(5)
  const others = FIVE.filter((_, at) => at !== 2)
  const isEager = extensions === BOTH && (options.pipelining === 'transaction' || options.pipelining === 'back-to-back')
  const isBehind = isEager && options.pipelining === 'back-to-back'

  test.each<[string, (line: string) => string | undefined, third: string, storesThird: boolean]>([
    ['MAIL refused', (line) => (line.startsWith('MAIL FROM:<s2@') ? '550 5.7.1 not you\r\n' : undefined), 'refused', false],
    ['MAIL deferred', (line) => (line.startsWith('MAIL FROM:<s2@') ? '451 4.3.0 later\r\n' : undefined), 'deferred', false],
    ['one recipient refused', (line) => (line === 'RCPT TO:<q2@x.test>' ? '550 5.1.1 nobody\r\n' : undefined), 'partial', true],
    ['all recipients refused', (line) => (/^RCPT TO:<.2@/.test(line) ? '550 5.1.1 nobody\r\n' : undefined), 'refused', false],
    ['all recipients deferred', (line) => (/^RCPT TO:<.2@/.test(line) ? '450 4.2.1 busy\r\n' : undefined), 'deferred', false],
  ])('%s', async (_what, special, third, storesThird) => {
    for (const keeps of [false, true]) {
      const { all, server } = await outcomes(FIVE, options, { extensions, special, keeps })
      expect(all).toEqual(accepted(third))
      expectStored(server, storesThird ? FIVE : others, (address) => address === 'q2@x.test')
    }
  })

  test.each([
    ['552 5.3.4 too big', 'refused'],
    ['451 4.3.0 try later', 'deferred'],
    ['503 5.5.1 what?', 'deferred'],
  ])('DATA, its content or LAST answered with %s', async (reply, third) => {
    for (const keeps of [false, true]) {
      for (const isBefore of [true, false]) {
        let hits = 0
        const special = (line: string, { stored }: SmtpFlightServer): string | undefined => {
          if (stored.length !== 2 || hits > 0 || !(isBefore ? /^DATA|LAST$/ : /^\.|LAST$/).test(line)) return undefined
          hits++
          return `${reply}\r\n`
        }
        const { all, server } = await outcomes(FIVE, options, { extensions, special, keeps })
        expect(hits).toBe(1)
        expect(all).toEqual(accepted(third))
        expectStored(server, others)
      }
    }
  })

  test('a message that is refused is alone: the next one is not the worse for it', async () => {
    let isRefusing = true
    const special = (line: string): string | undefined => (isRefusing && /^\.$|LAST$/.test(line) ? '554 5.6.0 no\r\n' : undefined)
    for (const keeps of [false, true]) {
      isRefusing = true
      const { client, server } = await overFlights({ extensions, special, keeps }, options)
      const [first, second] = manyNumbered(2)
      if (first === undefined || second === undefined) throw new Error('two')
      expect((await client.submit(first.envelope, first.content)).outcome).toBe('refused')
      isRefusing = false
      expect((await client.submit(second.envelope, second.content)).outcome).toBe('accepted')
      expectStored(server, [second])
    }
  })

  test('a message that fails before anything of it was sent leaves behind what it found: the next one begins with RSET', async () => {
    let isRefusing = true
    const special = (line: string): string | undefined => (isRefusing && line.startsWith('RCPT') ? '550 5.1.1 nobody\r\n' : undefined)
    const { client, server } = await overFlights({ extensions, special }, options)
    const [first, second] = manyNumbered(2)
    if (first === undefined || second === undefined) throw new Error('two')
    expect((await client.submit(first.envelope, first.content)).outcome).toBe('refused')
    isRefusing = false
    if (isEager) expect(await rejection(client.submit(second.envelope, failing()))).toBe(FAILURE) // otherwise it ends the connection
    expect((await client.submit(second.envelope, second.content)).outcome).toBe('accepted')
    expectStored(server, [second])
    expect(server.lines).toContain('RSET')
  })

  test('421 in the middle: what was answered stands, and who comes behind it is not sent or unknown', async () => {
    const { all, server } = await outcomes(FIVE, options, { extensions, special: shuttingDown })
    expect(all.slice(0, 2)).toEqual(['accepted', 'accepted'])
    // With its content under way nobody knows: there are servers that say 421 to one recipient and stay.
    expect(all[2]).toBe(isEager ? 'unknown' : 'deferred')
    for (const one of all.slice(3)) expect(one).toEqual(isBehind ? 'unknown' : { code: 'ERR_CLOSED' })
    expectStored(server, FIVE.slice(0, 2))
  })

  test.each([
    ['fails', failing(), 'disk on fire'],
    ['is longer than it said', Object.assign(chunks('x: y\r\n'), { size: 5 }), 'ERR_CONTENT'],
    ['is shorter than it said', Object.assign(chunks('x: y\r\n'), { size: 7 }), 'ERR_CONTENT'],
    ['is not what lineEnds verify lets pass', chunks('x: y\n'), 'ERR_CONTENT'],
    ['has 8-bit octets that were not announced', chunks('\xfc\r\n'), 'ERR_CONTENT'],
    ['has a line too long', chunks('x'.repeat(500), 'y'.repeat(499)), 'ERR_CONTENT'],
  ])('a source that %s: its message is not sent, and those before it are', async (_what, source, expected) => {
    const { client, server } = await overFlights({ extensions }, options)
    const [first, second, third] = manyNumbered(3)
    if (first === undefined || second === undefined || third === undefined) throw new Error('three')
    const settled = await Promise.allSettled([
      client.submit(first.envelope, first.content),
      client.submit({ ...second.envelope, options: { body: '7bit', lineEnds: 'verify' } }, source),
      client.submit(third.envelope, third.content),
    ])
    const [one, two, three] = settled.map(outcomeOf)
    expect(one).toBe('accepted')
    expect(two).toEqual({ code: expected === 'disk on fire' ? FAILURE : expected })
    expect(['accepted', { code: 'ERR_CLOSED' }]).toContainEqual(three)
    expectStored(server, three === 'accepted' ? [first, third] : [first])
  })

  test('a source that hangs ends by the signal of its call; those before it were sent', async () => {
    const { client, server } = await overFlights({ extensions }, options)
    const [first, second, third] = manyNumbered(3)
    if (first === undefined || second === undefined || third === undefined) throw new Error('three')
    const controller = new AbortController()
    let isWaiting = false
    const hanging = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          isWaiting = true
          return new Promise<IteratorResult<Uint8Array>>(() => {})
        },
      }),
    }
    const before = client.submit(first.envelope, first.content)
    const hung = rejection(client.submit({ ...second.envelope, options: { signal: controller.signal } }, hanging))
    const after = client.submit(third.envelope, third.content).then(
      ({ outcome }) => outcome,
      (error: unknown) => error,
    )
    await until(() => isWaiting)
    expect((await before).outcome).toBe('accepted')
    const reason = new Error('no patience')
    controller.abort(reason)
    expect(await hung).toBe(reason)
    const last = await after
    if (last !== 'accepted') expect(last).toMatchObject({ code: 'ERR_CLOSED', transient: true })
    expectStored(server, last === 'accepted' ? [first, third] : [first])
  })

  test('S33: the call that waits its turn is aborted: nothing of it leaves, and no other is harmed', async () => {
    const { client, server } = await overFlights({ extensions }, options)
    const controller = new AbortController()
    const messages = FIVE.map((message, at) => (at === 3 ? withSignal(message, controller.signal) : message))
    const all = messages.map(({ envelope, content }) => client.submit(envelope, content))
    const aborted = rejection(all[3] ?? Promise.resolve())
    const reason = new Error('changed my mind')
    controller.abort(reason) // none of the fourth was written yet, whatever the pipelining
    expect(await aborted).toBe(reason)
    const settled = await Promise.allSettled(all)
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expectStored(
      server,
      FIVE.filter((_, at) => at !== 3),
    )
  })
})

const accepted = (third: string): string[] => ['accepted', 'accepted', third, 'accepted', 'accepted']
const shuttingDown = (line: string): string | undefined => (line === 'RCPT TO:<r2@x.test>' ? '421 4.3.2 shutting down\r\n' : undefined)

const FAILURE = new Error('disk on fire')

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from('x: y\r\n')
  throw FAILURE
}

const withSignal = ({ envelope, content }: Numbered, signal: AbortSignal): Numbered => ({ envelope: { ...envelope, options: { signal } }, content })

describe('S33: aborted while others are under way', () => {
  const THREE = manyNumbered(3)

  test('overlap: the second, whose envelope is under way: the first has its outcome, and the second is not sent', async () => {
    const { all, server } = await aborting({ pipelining: 'overlap' }, 1, 'MAIL FROM:<s1@')
    expect(all).toEqual(['accepted', { code: REASON }, { code: 'ERR_CLOSED' }])
    expectStored(server, THREE.slice(0, 1))
  })

  test('overlap: the first, whose content has left: the second is not harmed', async () => {
    const { all, server } = await aborting({ pipelining: 'overlap' }, 0, 'MAIL FROM:<s1@')
    expect(all).toEqual(['unknown', 'accepted', 'accepted'])
    expectStored(server, THREE)
  })

  test.each([0, 1, 2])('back to back: message %i of those that have left is unknown, the others have their own outcomes', async (which) => {
    const { all, server } = await aborting({ pipelining: 'back-to-back' }, which, 'MAIL FROM:<s2@')
    expect(all).toEqual(THREE.map((_, at) => (at === which ? 'unknown' : 'accepted')))
    expectStored(server, THREE)
  })

  test('the only one, whose content has left, ends with its connection', async () => {
    const { client, server } = await overFlights({ extensions: BOTH })
    const controller = new AbortController()
    const [one] = THREE
    if (one === undefined) throw new Error('one')
    const receipt = client.submit(withSignal(one, controller.signal).envelope, one.content)
    await until(() => {
      server.isDeaf = server.sentText.includes('.dot')
      return server.isDeaf
    })
    controller.abort(REASON)
    expect((await receipt).outcome).toBe('unknown')
    expect([server.destroyed, client.usable]).toEqual([true, false])
    server.isDeaf = false
  })
})

const REASON = new Error('no longer')

/** Three messages, of which one is aborted when the server was sent something, and before it has heard of it. */
async function aborting(options: Partial<SmtpOptions>, which: number, when: string): Promise<{ all: Settled[]; server: SmtpFlightServer }> {
  const { client, server } = await overFlights({ extensions: BOTH }, options)
  const controller = new AbortController()
  const messages = manyNumbered(3).map((message, at) => (at === which ? withSignal(message, controller.signal) : message))
  const all = Promise.allSettled(messages.map(({ envelope, content }) => client.submit(envelope, content)))
  await until(() => {
    server.isDeaf = server.sent.some((octets) => octets.toString('latin1').includes(when))
    return server.isDeaf
  })
  controller.abort(REASON)
  await turn()
  server.isDeaf = false
  return { all: (await all).map(outcomeOf), server }
}
