// wirepost: one message with a large file attached, many small ones that are there already, or as many drafts.
// `node wirepost.js file|mails|drafts PIPELINING [chunking|blocks] ORDER`
import { createReadStream } from 'node:fs'
import { composeMessage } from '../../src/mime/index.ts'
import { SmtpPool, type Envelope, type Pipelining, type SubmittedContent } from '../../src/smtp/index.ts'
import { Meter } from '../measure.ts'
import { mails, text } from '../pop3/mails.ts'
import { Random } from '../messages.ts'
import { forget, tally, type Order } from './tally.ts'

const FROM = 'a@example.test'
const TO = 'b@example.test'
/** So many submissions are under way: always one more than can leave. */
const LANES = 64
const BLOCK_OCTETS = 1024 * 1024

const check = process.argv.at(-1) === 'check'
const [what, pipelining, ...rest] = process.argv.slice(2, check ? -1 : undefined)
const order: Order = JSON.parse(rest.at(-1) ?? '')
const part = what === 'file' ? 'attachment' : what === 'drafts' ? 'text' : 'whole'
const envelope: Envelope = { from: FROM, to: [TO] }

/** The content of each message, made when its turn has come. */
function contents(): readonly (() => SubmittedContent)[] {
  if (what === 'mails') return mails(order.messages, true).map((mail) => () => mail)
  const draft = { from: FROM, to: TO, subject: 'Order 4711' }
  if (what === 'drafts') {
    const random = new Random(2048)
    return Array.from({ length: order.messages }, () => text(random, true)).map((one) => () => composeMessage({ ...draft, text: one }))
  }
  const highWaterMark = rest.includes('blocks') ? BLOCK_OCTETS : undefined
  const attachment = () => ({ content: createReadStream(order.file, { highWaterMark }), size: order.size, fileName: 'a.bin' })
  return [() => composeMessage({ ...draft, text: 'See the attachment.', attachments: [attachment()] })]
}

const pool = new SmtpPool({
  host: '127.0.0.1',
  port: order.port,
  security: order.ca === undefined ? 'none' : 'tls',
  tls: { ca: order.ca },
  maxConnections: 1,
  maxMessages: 1_000_000,
  chunking: rest.includes('chunking') ? true : undefined,
  pipelining: asPipelining(pipelining),
})

/** Anything else is the default. */
function asPipelining(name: string | undefined): Pipelining | undefined {
  return name === 'overlap' || name === 'back-to-back' || name === 'transaction' ? name : undefined
}

async function submit(content: () => SubmittedContent): Promise<void> {
  const { outcome } = await pool.submit(envelope, content)
  if (outcome !== 'accepted') throw new Error(`the outcome is ${outcome}`)
}

const all = contents()
await submit(() => Buffer.from('Subject: the connection is open\r\n\r\n'))
await forget(order)
const meter = new Meter(false)
meter.start()
const next = all.values()
await Promise.all(
  Array.from({ length: Math.min(LANES, all.length) }, async () => {
    for (const content of next) await submit(content)
  }),
)
const measured = meter.stop()
await pool.close()
console.log(JSON.stringify({ ...measured, ...(await tally(order, part, check)) }))
