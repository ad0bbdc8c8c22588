// wirepost's connector, end to end over TLS: a file on its way out, or a document on its way in. `node connector.js send|get ORDER`
import { createReadStream } from 'node:fs'
import { MailConnector, type Logger } from '../../src/index.ts'
import { Meter } from '../measure.ts'
import type { Maildrop } from '../pop3/order.ts'
import { forget, tally, type Order } from '../smtp/tally.ts'

const check = process.argv.at(-1) === 'check'
const [mode, given = ''] = process.argv.slice(2)
const silent: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const meter = new Meter(check && mode === 'get')
const side = ({ port, ca }: { readonly port: number; readonly ca?: string | undefined }) => ({ host: '127.0.0.1', port, tls: { ca } })

async function get(maildrop: Maildrop): Promise<void> {
  const inbound = { ...side(maildrop), auth: { user: 'u1', password: 'pw-1' } }
  await using connector = new MailConnector({ inbound, state: 'memory', logger: silent })
  await connector.get({ disposition: 'attachment' }, async (document) => {
    for await (const chunk of document.content) meter.content(chunk)
    meter.messages++
  })
  console.log(JSON.stringify(meter.stop()))
}

async function send(order: Order): Promise<void> {
  await forget(order)
  await using connector = new MailConnector({ outbound: side(order), state: 'memory', logger: silent })
  const document = { content: createReadStream(order.file), size: order.size, fileName: 'a.bin' }
  const [receipt] = await connector.send({ from: 'a@example.test', to: 'b@example.test', disposition: 'attachment' }, [document])
  if (receipt?.outcome !== 'accepted') throw new Error(`the outcome is ${receipt?.outcome}`)
  const measured = meter.stop()
  console.log(JSON.stringify({ ...measured, ...(await tally(order, 'attachment', check)) }))
}

meter.start()
await (mode === 'get' ? get(JSON.parse(given)) : send(JSON.parse(given)))
