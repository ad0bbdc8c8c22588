// One measured process: `memory-run.js idle|send|get|stall`, its addresses and sizes by message from the parent.
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { MailConnector, type Logger, type ServerOptions } from '../../src/index.ts'
import { peakMiB } from '../processes.ts'

export interface Order {
  readonly pop3: number
  readonly smtp: number
  readonly ca: string
  readonly bytes: number
}

const mode = process.argv[2]
const order = await new Promise<Order>((resolve) => process.once('message', (message: Order) => resolve(message)))
const side = (port: number): ServerOptions => ({ host: 'localhost', port, tls: { ca: order.ca }, auth: { user: 'u1', password: 'pw-1' } })

async function* content(bytes: number): AsyncGenerator<Buffer> {
  const block = Buffer.alloc(65_536, 'The quick brown fox jumps over the lazy dog. ')
  for (let left = bytes; left > 0; left -= block.length) yield left >= block.length ? block : block.subarray(0, left)
}

async function send(connector: MailConnector): Promise<number> {
  const document = { content: content(order.bytes), size: order.bytes, fileName: 'large.bin' }
  const [receipt] = await connector.send({ from: 'a@example.test', to: 'u1@example.test', disposition: 'attachment' }, [document])
  if (receipt?.outcome !== 'accepted') throw new Error(`the outcome is ${receipt?.outcome}`)
  return order.bytes
}

async function get(connector: MailConnector): Promise<number> {
  const expected = createHash('sha256')
  for await (const chunk of content(order.bytes)) expected.update(chunk)
  const wanted = expected.digest('hex')
  let octets = 0
  await connector.get({ disposition: 'attachment', deleteFromServer: true }, async (document) => {
    const hash = createHash('sha256')
    for await (const chunk of document.content) {
      octets += chunk.length
      hash.update(chunk)
    }
    if (hash.digest('hex') !== wanted) throw new Error('the attachment is not what was sent')
  })
  if (octets !== order.bytes) throw new Error(`${octets} octets instead of ${order.bytes}`)
  return octets
}

/** A consumer that stops after the first chunk, for as long as the parent watches. */
async function stall(connector: MailConnector): Promise<number> {
  const enough = new AbortController()
  const watched = new Promise<void>((resolve) => process.once('message', () => resolve()))
  await connector
    .get(
      { disposition: 'attachment' },
      async (document) => {
        for await (const chunk of document.content) {
          if (chunk.length === 0) continue
          await delay(500)
          process.send?.({ stalledMiB: process.memoryUsage().rss / 2 ** 20 })
          await watched
          process.send?.({ stalledMiB: process.memoryUsage().rss / 2 ** 20 })
          enough.abort(new Error('watched'))
          throw new Error('watched')
        }
      },
      { signal: enough.signal },
    )
    .catch(() => {})
  return 0
}

const silent: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const from = performance.now()
const connector = new MailConnector({ inbound: side(order.pop3), outbound: side(order.smtp), state: 'memory', logger: silent })
const octets = mode === 'send' ? await send(connector) : mode === 'get' ? await get(connector) : mode === 'stall' ? await stall(connector) : 0
const seconds = (performance.now() - from) / 1000
await connector.close()
process.send?.({ seconds, octets, digest: '', peakMiB: peakMiB() })
process.disconnect()
