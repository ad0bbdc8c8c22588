// wirepost takes messages from a maildrop. `node wirepost.js MODE MAILDROP`: `stream` (chunks that the caller owns), `views` (borrowed ones), `value`
// (one Buffer), `all` (retrieveAll, pipelined) or `each` (retrieve, one by one).
import { Pop3Client, type Retrieval } from '../../src/pop3/index.ts'
import { Meter } from '../measure.ts'
import type { Maildrop } from './order.ts'

const [mode, given = ''] = process.argv.slice(2)
const { port, ca, messages }: Maildrop = JSON.parse(given)

const client = await Pop3Client.connect({
  host: '127.0.0.1',
  port,
  security: ca === undefined ? 'none' : 'tls',
  tls: { ca },
  allowClearTextAuth: true,
  auth: { user: 'u1', password: 'pw-1' },
})

async function take(octets: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of octets) meter.content(chunk)
  meter.messages++
}

async function takeWhole(retrieval: Retrieval): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of retrieval) chunks.push(chunk)
  meter.content(Buffer.concat(chunks))
  meter.messages++
}

const numbers = Array.from({ length: messages }, (_, at) => at + 1)
const meter = new Meter(process.argv.at(-1) === 'check')
meter.start()
if (mode === 'all') for await (const retrieval of client.retrieveAll(numbers)) await take(retrieval)
else {
  for (const number of numbers) {
    const retrieval = client.retrieve(number)
    await (mode === 'value' ? takeWhole(retrieval) : take(mode === 'views' ? retrieval.views() : retrieval))
  }
}
const measured = meter.stop()
await client.quit()
console.log(JSON.stringify(measured))
