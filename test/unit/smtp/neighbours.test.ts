import { expect, test } from 'vitest'
import { SmtpClient } from '../../../src/smtp/client.ts'
import type { Receipt } from '../../../src/smtp/transaction.ts'
import { Random } from '../../support/random.ts'
import { numbered, pooled, turn, until, type Numbered } from '../../support/smtp-flight-client.ts'
import { SmtpFlightServer } from '../../support/smtp-flights.ts'

const SEED = 20261122
const ROUNDS = 600
const POOL_ROUNDS = 200
const PIPELINING = ['none', 'envelope', 'overlap', 'transaction', 'back-to-back'] as const

/** What a server may say instead of yes. */
const REFUSALS = {
  MAIL: ['550 5.7.1 no', '451 4.3.0 later', '503 5.5.1 what?', '421 4.3.2 bye'],
  RCPT: ['550 5.1.1 nobody', '450 4.2.1 busy', '452 4.5.3 too many', '550 5.1.1 nobody', '550 5.1.1 nobody', '421 4.3.2 bye'],
  DATA: ['451 4.3.0 later', '554 5.5.1 no', '354 whatever you say'],
  BDAT: ['452 4.3.1 full', '554 5.6.0 no', '503 5.5.1 what?'],
  '.': ['554 5.6.0 no', '451 4.3.0 later', '421 4.3.2 bye'],
} satisfies Record<string, [string, ...string[]]>

function moody(random: Random): (line: string, server: SmtpFlightServer) => string | undefined {
  const mood = random.pick([4, 12, 40])
  const loss = random.pick([60, 200, 100_000])
  return (line, server) => {
    if (line === 'greeting' || line.startsWith('EHLO') || line === 'RSET') return undefined
    if (random.once(loss)) {
      server.hangUp()
      return random.once(2) ? '' : undefined
    }
    if (!random.once(mood)) return undefined
    const verb = line.split(' ', 1)[0] ?? ''
    const said = Object.entries(REFUSALS).find(([name]) => name === verb)?.[1]
    return said === undefined ? undefined : `${said[random.below(said.length)]}\r\n`
  }
}

/** As a message comes: octets, or a source that does what it should, or not. */
function contentOf(random: Random, { content }: Numbered): { given: Uint8Array | AsyncIterable<Uint8Array>; hangs: boolean } {
  const kind = random.below(10)
  if (kind < 4) return { given: content, hangs: false }
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < content.length;) {
      if (random.once(3)) await turn()
      const length = 1 + random.below(content.length)
      yield content.subarray(at, at + length)
      at += length
      if (kind === 8 && random.once(2)) throw new Error('disk on fire')
      if (kind === 9 && random.once(2)) await new Promise<void>(() => {})
    }
    if (kind === 7) yield Buffer.from('\xff\0', 'latin1')
  }
  return { given: random.once(8) ? Object.assign(source(), { size: content.length - random.below(2) }) : source(), hangs: kind === 9 }
}

test(`${ROUNDS} servers in a bad mood (seed ${SEED}): each message is held as its receipt says, with its own envelope, and no other (S31, S33, H18 to H27)`, async () => {
  const counts = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED + round)
    const server = new SmtpFlightServer({
      extensions: random.pick([['PIPELINING', 'CHUNKING', '8BITMIME'], ['PIPELINING', 'CHUNKING'], ['PIPELINING'], ['CHUNKING'], []]),
      special: moody(random),
      keeps: random.once(2),
    })
    const options = { pipelining: PIPELINING[random.below(5)], ...(random.once(2) ? { chunking: random.once(2) } : {}) }
    const client = await SmtpClient.over(server, { host: 'flights.test', ...options })
    const messages: Numbered[] = []
    const settled: Promise<PromiseSettledResult<Receipt>[]>[] = []
    for (let number = 0; number < 8; number++) {
      const controller = new AbortController()
      const message = numbered(number, { signal: controller.signal, partial: random.once(4) ? 'refuse' : 'deliver' }, random.once(12) ? 900 : 20)
      const long = random.once(10) ? Buffer.concat([message.content, Buffer.from(`${'y'.repeat(98)}\r\n`.repeat(1_500))]) : message.content
      const sent = { ...message, content: long }
      messages.push(sent)
      const { given, hangs } = contentOf(random, sent)
      settled.push(Promise.allSettled([client.submit(sent.envelope, given)]))
      if (hangs || random.once(6)) void leave(controller, hangs ? 40 : random.below(12))
      if (random.once(3)) for (let turns = random.below(8); turns > 0; turns--) await turn()
    }
    let isDone = false
    const results = Promise.all(settled).then((all) => {
      isDone = true
      return all.flat()
    })
    await until(() => isDone)
    for (const [at, result] of (await results).entries()) {
      const where = `round ${round}, message ${at}, ${JSON.stringify(options)}: ${result.status === 'fulfilled' ? result.value.outcome : String(result.reason)}`
      const { envelope, content } = messages[at] ?? numbered(0)
      const held = server.stored.filter(({ octets }) => octets.toString('latin1').startsWith(`Subject: ${at}\r\n`))
      for (const { mail, rcpt, octets } of held) {
        expect(mail, where).toContain(`<${envelope.from}>`)
        for (const line of rcpt) expect(line, where).toMatch(new RegExp(`^RCPT TO:<[rq]${at}@x\\.test>`))
        expect(octets.equals(content), where).toBe(true)
      }
      const outcome = result.status === 'fulfilled' ? result.value.outcome : 'rejected'
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      if (outcome === 'unknown') expect(held.length, where).toBeLessThanOrEqual(1)
      else expect(held.length, where).toBe(outcome === 'accepted' || outcome === 'partial' ? 1 : 0)
      if (result.status !== 'fulfilled' || held.length === 0 || outcome === 'unknown') continue
      const accepted = result.value.recipients.filter((one) => one.outcome === 'accepted').map(({ address }) => address)
      expect(
        held[0]?.rcpt.map((line) => /<(.*?)>/.exec(line)?.[1]),
        where,
      ).toEqual(accepted)
    }
    for (const { octets } of server.stored) expect(octets.toString('latin1', 0, 9)).toBe('Subject: ')
    await client.quit()
  }
  for (const outcome of ['accepted', 'partial', 'refused', 'deferred', 'unknown', 'rejected'])
    expect(counts.get(outcome), outcome).toBeGreaterThan(20)
}, 60_000)

test(`${POOL_ROUNDS} pools over servers in a bad mood (seed ${SEED}): every recipient has the message as often as its receipt says`, async () => {
  const counts = new Map<string, number>()
  for (let round = 0; round < POOL_ROUNDS; round++) {
    const random = new Random(SEED - round)
    const limits = random.pick(['', 'RCPTMAX=1', 'RCPTMAX=2', 'MAILMAX=2', 'MAILMAX=3 RCPTMAX=2', 'RCPTDOMAINMAX=1'])
    const extensions = [
      '8BITMIME',
      ...(random.once(4) ? [] : ['PIPELINING']),
      ...(random.once(3) ? [] : ['CHUNKING']),
      ...(limits === '' ? [] : [`LIMITS ${limits}`]),
    ]
    const options = {
      pipelining: PIPELINING[random.below(5)],
      maxConnections: 1 + random.below(3),
      maxMessages: random.pick([1, 3, 100]),
      backOff: { attempts: 1 + random.below(3), firstMs: 1, mostMs: 2 },
      idleMs: random.pick([1, 60_000]),
    }
    const mood = moody(random)
    const keeps = random.once(2)
    const all = pooled(options, () => ({
      extensions,
      keeps,
      special: (line, server) => (line === 'greeting' && random.once(8) ? '421 4.7.0 full\r\n' : mood(line, server)),
    }))
    const messages = Array.from({ length: 10 }, (_, number) => numbered(number, { partial: random.once(5) ? 'refuse' : 'deliver' }))
    const settled = Promise.allSettled(
      messages.map(async ({ envelope, content }, number) => {
        for (let turns = random.below(20); turns > 0; turns--) await turn()
        const controller = new AbortController()
        if (random.once(8)) void leave(controller, random.below(20))
        const to = [...envelope.to, `p${number}@y.test`, `r${number}@X.test`, `o${number}@z.test`]
        const given = { ...envelope, to, options: { ...envelope.options, signal: controller.signal } }
        return all.pool.submit(given, async function* source() {
          if (random.once(2)) await turn()
          yield content
          if (random.once(15)) throw new Error('disk on fire')
        })
      }),
    )
    const results = await settled
    await all.pool.close()
    expect(all.most()).toBeLessThanOrEqual(options.maxConnections)
    expect(all.open()).toEqual([])
    for (const [at, result] of results.entries()) {
      const where = `round ${round}, message ${at}, ${JSON.stringify({ ...options, extensions })}: ${result.status === 'fulfilled' ? result.value.outcome : String(result.reason)}`
      const { envelope, content } = messages[at] ?? numbered(0)
      const held = all.servers.flatMap(({ stored }) => stored.filter(({ octets }) => octets.equals(content)))
      for (const { mail } of held) expect(mail, where).toContain(`<${envelope.from}>`)
      const paths = held.flatMap(({ rcpt }) => rcpt.map((line) => /<(.*?)>/.exec(line)?.[1]))
      for (const path of paths) expect(path, where).toMatch(new RegExp(`^[a-z]${at}@`))
      counts.set(
        result.status === 'fulfilled' ? result.value.outcome : 'rejected',
        (counts.get(result.status === 'fulfilled' ? result.value.outcome : 'rejected') ?? 0) + 1,
      )
      if (result.status === 'rejected') {
        expect(paths, where).toEqual([])
        continue
      }
      expect(
        result.value.recipients.map(({ address }) => address),
        where,
      ).toHaveLength(5)
      for (const { address, outcome } of result.value.recipients) {
        const times = paths.filter((path) => path?.toLowerCase() === address.toLowerCase()).length
        if (outcome === 'unknown') expect(times, `${where}, ${address}`).toBeLessThanOrEqual(1)
        else expect(times, `${where}, ${address}`).toBe(outcome === 'accepted' ? 1 : 0)
      }
    }
  }
  for (const outcome of ['accepted', 'partial', 'refused', 'deferred', 'unknown', 'rejected'])
    expect(counts.get(outcome), outcome).toBeGreaterThan(20)
}, 60_000)

/** Aborts after so many turns of the event loop. */
async function leave(controller: AbortController, turns: number): Promise<void> {
  for (let left = turns; left > 0; left--) await turn()
  controller.abort(new Error('left'))
}
