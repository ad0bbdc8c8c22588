import { expect, test } from 'vitest'
import { MailError } from '../../src/errors.ts'
import { SmtpClient } from '../../src/smtp/client.ts'
import type { Envelope, SubmitOptions } from '../../src/smtp/envelope.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import type { Receipt } from '../../src/smtp/transaction.ts'
import { byOctet } from '../support/every-split.ts'
import { Random } from '../support/random.ts'
import { nextTurn, SmtpModel, type Cut, type ModelOptions, type Question, type Say } from '../support/smtp-model.ts'

const SEED = Number(process.env['WIREPOST_SEED'] ?? 20_261_122)
const ROUNDS = 1_500

type Way = Pick<SmtpOptions, 'pipelining' | 'chunking'> & Pick<SubmitOptions, 'partial'>

const WAYS: readonly [Way, ...Way[]] = [
  { pipelining: 'none', chunking: false },
  { pipelining: 'none', chunking: true },
  { pipelining: 'none', chunking: true, partial: 'refuse' },
  { pipelining: 'envelope', chunking: false },
  { pipelining: 'envelope', chunking: true },
  { pipelining: 'envelope', chunking: false, partial: 'refuse' },
  { pipelining: 'overlap', chunking: false },
  { pipelining: 'overlap', chunking: true },
  { pipelining: 'overlap', chunking: false, partial: 'refuse' },
  { pipelining: 'overlap', chunking: true, partial: 'refuse' },
  { pipelining: 'transaction', chunking: true },
  { pipelining: 'transaction', chunking: true, partial: 'refuse' },
  { pipelining: 'back-to-back', chunking: true },
  { pipelining: 'back-to-back', chunking: true, partial: 'refuse' },
]

const named = ({ pipelining = 'envelope', chunking = false, partial = 'deliver' }: Way): string =>
  `${pipelining}, ${chunking ? 'BDAT' : 'DATA'}, ${partial}`

const GOOD: Readonly<Record<Question, string>> = {
  greeting: '220 x\r\n',
  EHLO: '250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n',
  MAIL: '250 2.1.0 ok\r\n',
  RCPT: '250 2.1.5 ok\r\n',
  DATA: '354 go\r\n',
  BDAT: '250 2.0.0 ok\r\n',
  RSET: '250 2.0.0 ok\r\n',
  QUIT: '221 2.0.0 bye\r\n',
  end: '250-2.0.0 ok\r\n250 2.0.0 queued\r\n',
  LAST: '250- 20 byte chunk\r\n250 OK id=1\r\n',
  other: '500 what?\r\n',
}

interface Message {
  readonly mark: string
  readonly envelope: Envelope
  readonly content: Uint8Array | AsyncIterable<Uint8Array>
}

const contentOf = (mark: string, filler = ''): Buffer => Buffer.from(`Subject: ${mark}\r\n\r\n${filler}.dot\r\nend-${mark}\r\n`)

function messageOf(mark: string, { partial }: Way, options: SubmitOptions = {}, content: Message['content'] = contentOf(mark)): Message {
  return { mark, content, envelope: { from: `a.${mark}@x.test`, to: [`r0.${mark}@x.test`, `r1.${mark}@x.test`], options: { ...options, partial } } }
}

type Fate = { readonly receipt: Receipt } | { readonly error: unknown }

/** Connects and submits all at once. Whoever waits although nothing happens any more sees the server leave; whoever waits then hangs. */
async function converse(model: SmtpModel, way: Way, messages: readonly Message[]): Promise<Fate[]> {
  const fates: Fate[] = []
  const progress = { isDone: false }
  const work = (async () => {
    const { partial: _, ...options } = way
    const client = await SmtpClient.over(model, { host: 'memory.test', clientName: 'c.test', ...options })
    const all = messages.map(({ envelope, content }) =>
      client.submit(envelope, content).then(
        (receipt): Fate => ({ receipt }),
        (error: unknown): Fate => ({ error }),
      ),
    )
    fates.push(...(await Promise.all(all)))
    await client.quit()
  })()
  work.catch(() => {}).finally(() => (progress.isDone = true))
  for (let quiet = 0, seen = -1; !progress.isDone && quiet < 400; quiet = seen === model.events ? quiet + 1 : 0) {
    seen = model.events
    if (quiet === 60) model.leave()
    await nextTurn()
  }
  if (!progress.isDone) throw new Error('the client waits without end')
  try {
    await work
  } catch (error) {
    expect(error).toBeInstanceOf(MailError)
    expect(fates).toEqual([])
    return messages.map(() => ({ error }))
  }
  return fates
}

/** The end of the content has left the client: its final dot, or BDAT … LAST with it. */
function hasLeft(sent: string, mark: string): boolean {
  const end = sent.indexOf(`end-${mark}`)
  if (end < 0) return false
  const chunk = sent.lastIndexOf('BDAT ', end)
  if (chunk <= sent.lastIndexOf('\r\nDATA\r\n', end)) return sent.startsWith('\r\n.\r\n', end + `end-${mark}`.length)
  // The last line end may go by a chunk of its own.
  return [chunk, end + `end-${mark}`.length].some((at) => /^BDAT \d+ LAST\r\n/.test(sent.slice(at, at + 20)))
}

/** What every submission must come to, whatever the server does: exactly one of accepted, not sent and unknown, and the truth.
 *  @param isEven the server said one reply to each command, so that what it took is known */
function judge(model: SmtpModel, messages: readonly Message[], fates: readonly Fate[], isEven: boolean): void {
  for (const [at, { mark, envelope }] of messages.entries()) {
    const fate = fates[at]
    const left = hasLeft(model.sentText, mark)
    const taken = model.taken.find((one) => one.mark === mark)
    // Nobody gets what was meant for others, or with another's reverse-path.
    if (taken !== undefined && isEven) {
      for (const path of taken.paths) expect(envelope.to).toContain(path)
      if (taken.paths.length > 0) expect(taken.reversePath).toBe(envelope.from)
    }
    const isPositive = taken?.status !== undefined && taken.status < 300
    if (fate === undefined) throw new Error(`message ${mark} has no fate`)
    if ('error' in fate) {
      // Rejected: not sent, and so not delivered.
      expect([mark, left]).toEqual([mark, false])
      if (fate.error !== envelope.options?.signal?.reason) expect(fate.error).toBeInstanceOf(MailError)
      continue
    }
    const { recipients, outcome } = fate.receipt
    expect(recipients.map(({ address }) => address)).toEqual(envelope.to)
    if (outcome === 'unknown') expect([mark, left, fate.receipt.reply]).toEqual([mark, true, null])
    for (const { address, outcome: one } of recipients) {
      if (one === 'unknown' || one === 'accepted') expect([address, left]).toEqual([address, true])
      if (!isEven) continue
      const isTaken = isPositive && taken.paths.includes(address)
      if (one === 'accepted') expect([address, isTaken, model.said >= (taken?.until ?? Infinity)]).toEqual([address, true, true])
      // What was taken is never told to be not sent.
      if (isTaken) expect(['accepted', 'unknown'], address).toContain(one)
    }
  }
}

const good: Say = (question) => GOOD[question]
/** Of the second of three nobody is accepted, of the others one. */
const mixed: Say = (question, line, paths) => {
  if (question === 'RCPT' && /r1\.|\.2@/.test(line)) return '550 5.1.1 no\r\n'
  if (/DATA|BDAT|LAST/.test(question) && paths.length === 0) return '554 5.5.1 nobody\r\n'
  return GOOD[question]
}

async function play(way: Way, options: ModelOptions, marks: readonly string[] = ['1', '2', '3']): Promise<SmtpModel> {
  const model = new SmtpModel(options)
  const messages = marks.map((mark) => messageOf(mark, way))
  const fates = await converse(model, way, messages)
  try {
    judge(model, messages, fates, true)
    if (options.cut?.how !== 'RST') {
      // What was said before the server left in order is not lost.
      for (const [at, fate] of fates.entries()) {
        const taken = model.taken.find(({ mark }) => mark === marks[at])
        if (taken?.status !== undefined && taken.status < 300 && taken.until <= model.said)
          expect('receipt' in fate && fate.receipt.outcome).toMatch(/accepted|partial/)
      }
    }
  } catch (error) {
    console.error(named(way), options.cut, JSON.stringify(fates), model.sentText)
    throw error
  }
  return model
}

test.each(WAYS.map((way) => [named(way), way] as const))(
  'S29, S33, H20, H21, H22: %s: three submissions, and the connection ends at each octet: one of accepted, not sent, unknown',
  async (_name, way) => {
    for (const say of [good, mixed]) {
      const whole = await play(way, { say })
      expect(whole.taken.filter(({ status }) => status === 250).map(({ mark }) => mark)).toEqual(
        say === good ? ['1', '2', '3'] : way.partial === 'refuse' ? [] : ['1', '3'],
      )
      for (const after of ['said', 'heard'] as const) {
        for (let octets = 0; octets < whole[after]; octets += after === 'heard' && say === mixed ? 7 : 1) {
          await play(way, { say, cut: { after, octets, how: 'FIN' } })
          if (after === 'said') await play(way, { say, cut: { after, octets, how: 'RST' } })
        }
      }
    }
  },
)

const STATUSES: readonly [number, ...number[]] = [
  220, 221, 235, 250, 251, 252, 334, 354, 421, 432, 450, 451, 452, 454, 500, 501, 502, 503, 521, 535, 550, 552, 553, 554, 555,
]
/** What is no reply, or more than one. */
const FAULTS: readonly [string, ...string[]] = [
  '\r\n',
  '250-x\r\n550 y\r\n',
  '25 x\r\n',
  '2500 x\r\n',
  ' 250 x\r\n',
  '099 x\r\n',
  '600 x\r\n',
  '+OK\r\n',
  'x\r\n',
  '250_x\r\n',
  '250\0x\r\n',
]

function randomReply(random: Random, status: number): string {
  const code = random.pick(['', '2.0.0 ', '5.1.1 ', '4.2.2 ', '9.9.9 '])
  const text = random.pick(['', ' ok', ` ${code}ok`, '\tok', ' \xff\x1b[31m', ` ${'x'.repeat(200)}`])
  const lineEnd = random.once(8) ? '\n' : '\r\n'
  return random.once(4) ? `${status}-${code}one${lineEnd}${status}${text}${lineEnd}` : `${status}${text}${lineEnd}`
}

/** One reply to each question, mostly the usual one; at times nonsense. */
function randomSay(random: Random, oddity: number): Say {
  return (question, _line, paths) => {
    if (question === 'RCPT' && random.once(5)) return '550 5.1.1 no\r\n'
    if (/DATA|BDAT|LAST/.test(question) && paths.length === 0 && !random.once(10)) return '503 5.5.1 nobody\r\n'
    if (question === 'greeting' || question === 'EHLO' || !random.once(oddity)) return GOOD[question]
    if (random.once(6)) return random.pick(FAULTS)
    return randomReply(random, random.pick(STATUSES))
  }
}

const randomSplit =
  (random: Random) =>
  (octets: Buffer): Buffer[] => {
    if (random.once(3)) return byOctet(octets)
    const at = random.below(octets.length + 1)
    return [octets.subarray(0, at), octets.subarray(at)]
  }

async function* source(random: Random, octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length;) {
    for (let turns = random.below(3); turns > 0; turns--) await nextTurn()
    const to = at + 1 + random.below(octets.length)
    yield octets.subarray(at, to)
    at = to
  }
}

function randomMessage(random: Random, mark: string, way: Way, controllers: AbortController[]): Message {
  const content = contentOf(mark, random.once(6) ? 'text\r\n'.repeat(20_000) : '')
  const options: SubmitOptions = random.once(6) ? { signal: abortable(controllers) } : {}
  return messageOf(mark, random.once(3) ? { ...way, partial: 'refuse' } : way, options, random.once(2) ? content : source(random, content))
}

function abortable(controllers: AbortController[]): AbortSignal {
  const controller = new AbortController()
  controllers.push(controller)
  return controller.signal
}

async function abortAll(random: Random, controllers: readonly AbortController[]): Promise<void> {
  for (const controller of controllers) {
    for (let turns = random.below(40); turns > 0; turns--) await nextTurn()
    controller.abort(new Error('enough'))
  }
}

function randomCut(random: Random): Cut | undefined {
  if (random.once(2)) return undefined
  return { after: random.pick(['said', 'heard']), octets: random.below(600), how: random.pick(['FIN', 'RST']) }
}

test(`S16, S17, S26, S27, S33, H2, H9, H10, H11, H13, H15: any reply to any command, in any chunks, whenever: the truth about each message (seed ${SEED})`, async () => {
  const outcomes = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED + round)
    const way = random.pick(WAYS)
    const lag = random.once(2) ? { lag: () => random.below(4) } : {}
    const model = new SmtpModel({
      say: randomSay(random, 4 + random.below(20)),
      cut: randomCut(random),
      split: randomSplit(random),
      keeps: random.once(2),
      ...lag,
    })
    const controllers: AbortController[] = []
    const messages = ['1', '2', '3', '4'].map((mark) => randomMessage(random, mark, way, controllers))
    const aborting = abortAll(random, controllers)
    const fates = await converse(model, way, messages)
    await aborting
    try {
      judge(model, messages, fates, true)
    } catch (error) {
      throw new Error(
        `round ${round}: ${named(way)}\n${model.log.join('')}\n${model.sentText.replaceAll(/(?:text\r\n)+/g, '[text]\r\n')}\n${JSON.stringify(fates, null, 1)}`,
        { cause: error },
      )
    }
    for (const fate of fates) {
      const name = 'receipt' in fate ? fate.receipt.outcome : 'rejected'
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
    }
  }
  // It would prove nothing if it went one way only.
  for (const outcome of ['accepted', 'partial', 'deferred', 'refused', 'unknown', 'rejected'])
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(ROUNDS / 50)
})

/** What garbage is made of. */
const PIECES: readonly [string, ...string[]] = [
  '250',
  '354',
  '421',
  '550',
  '2',
  ' ',
  '-',
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\xff',
  '\t',
  '250 ok\r\n',
  '250-',
  '354 go\r\n',
  '550 5.1.1 no\r\n',
  'x'.repeat(3_000),
  '220 ',
  '334 \r\n',
  '\x15\x03\x01',
]

test(`S16, S17, H4, H6, H7, H8, H13, H16: whatever a server says is a receipt or a MailError, and nothing is accepted whose end has not left (seed ${SEED})`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(SEED - 1 - round)
    const way = random.pick(WAYS)
    const oddity = 2 + random.below(30)
    const garbage = (): string => Array.from({ length: random.below(6) }, () => random.pick(PIECES)).join('')
    const say: Say = (question) => (random.once(oddity) ? garbage() : GOOD[question])
    const model = new SmtpModel({ say, split: randomSplit(random) })
    const messages = ['1', '2', '3'].map((mark) => messageOf(mark, way))
    judge(model, messages, await converse(model, way, messages), false)
  }
})
