// wirepost: from the maildrop to decoded content. `node fetch.js attachment|mails MAILDROP`: a large attachment as a stream, or many mails, each whole.
import { parseMessage, readMessage } from '../../src/mime/index.ts'
import { Pop3Client, type Retrieval } from '../../src/pop3/index.ts'
import { Meter } from '../measure.ts'
import type { Maildrop } from '../pop3/order.ts'
import { summary } from './summary.ts'

const [what, given = ''] = process.argv.slice(2)
const { port, messages }: Maildrop = JSON.parse(given)

const client = await Pop3Client.connect({
  host: '127.0.0.1',
  port,
  security: 'none',
  allowClearTextAuth: true,
  auth: { user: 'u1', password: 'pw-1' },
})

async function readAttachment(): Promise<void> {
  const message = await readMessage(client.retrieve(1).views())
  for await (const part of message.parts()) {
    if (part.disposition !== 'attachment') continue
    for await (const chunk of part.content) meter.content(chunk)
  }
  meter.messages++
}

async function parse(retrieval: Retrieval): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of retrieval) chunks.push(chunk)
  const message = parseMessage(Buffer.concat(chunks))
  const { header } = message
  const [sender] = header.addresses('From')
  const from = sender !== undefined && 'address' in sender ? sender.address : undefined
  const mail = { subject: header.value('Subject'), from, date: header.date(), text: message.text() }
  meter.messages++
  if (meter.isChecked) meter.note(summary(mail))
}

const numbers = Array.from({ length: messages }, (_, at) => at + 1)
const meter = new Meter(process.argv.at(-1) === 'check')
meter.start()
if (what === 'attachment') await readAttachment()
else for await (const retrieval of client.retrieveAll(numbers)) await parse(retrieval)
const measured = meter.stop(what === 'mails' ? { parts: undefined, octets: undefined } : {})
await client.quit()
console.log(JSON.stringify(measured))
