// nodemailer: as bench/smtp/wirepost.ts. `node nodemailer.mjs file|mails|drafts defaults|fastest ORDER`
import { createReadStream } from 'node:fs'
import { createTransport } from 'nodemailer'
import { Meter } from '../../.build/js/bench/measure.js'
import { Random } from '../../.build/js/bench/messages.js'
import { mails, text } from '../../.build/js/bench/pop3/mails.js'
import { forget, tally } from '../../.build/js/bench/smtp/tally.js'

const LANES = 64
const BLOCK_OCTETS = 1024 * 1024

const check = process.argv.at(-1) === 'check'
const [what, settings, given] = process.argv.slice(2)
const order = JSON.parse(given)
const isFastest = settings === 'fastest'
const envelope = { from: 'a@example.test', to: ['b@example.test'] }
const server = { host: '127.0.0.1', port: order.port, secure: order.ca !== undefined, tls: { ca: order.ca } }
// The default is a new connection for each message. One connection for all is a pool's, which takes a new one after 100 messages unless told otherwise.
const pool = { pool: true, maxConnections: 1, ...(isFastest ? { maxMessages: Infinity } : {}) }
const transport = createTransport(what === 'file' && !isFastest ? server : { ...server, ...pool })

function contents() {
  if (what === 'mails') return mails(order.messages, true).map((raw) => () => ({ envelope, raw }))
  const draft = { from: envelope.from, to: envelope.to, subject: 'Order 4711' }
  if (what === 'drafts') {
    const random = new Random(2048)
    return Array.from({ length: order.messages }, () => text(random, true)).map((one) => () => ({ ...draft, text: one }))
  }
  const source = isFastest ? () => ({ content: createReadStream(order.file, { highWaterMark: BLOCK_OCTETS }) }) : () => ({ path: order.file })
  return [() => ({ ...draft, text: 'See the attachment.', attachments: [{ filename: 'a.bin', ...source() }] })]
}

async function submit(content) {
  const { rejected } = await transport.sendMail(content())
  if (rejected.length > 0) throw new Error('a recipient was refused')
}

const all = contents()
await submit(() => ({ envelope, raw: 'Subject: the connection is open\r\n\r\n' }))
await forget(order)
const meter = new Meter(false)
meter.start()
const next = all.values()
const lane = async () => {
  for (const content of next) await submit(content)
}
await Promise.all(Array.from({ length: Math.min(LANES, all.length) }, lane))
const measured = meter.stop()
transport.close()
const part = { file: 'attachment', drafts: 'text', mails: 'whole' }[what]
console.log(JSON.stringify({ ...measured, ...(await tally(order, part, check)) }))
