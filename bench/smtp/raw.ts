// The limit: the same octets over a socket, ready-made, with the least that SMTP asks for. `node raw.js file|data|chunks ORDER`: one large message by
// DATA, or many small ones one behind the other, by DATA (without waiting for 354) or by BDAT.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Meter } from '../measure.ts'
import { stuffed } from '../path/stuffing.ts'
import { mails } from '../pop3/mails.ts'
import { forget, tally, type Order } from './tally.ts'

const BLOCK_OCTETS = 256 * 1024
const ENVELOPE = 'MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n'

const [what = '', given = ''] = process.argv.slice(2)
const order: Order = JSON.parse(given)

function messages(): Buffer {
  if (what === 'file') return stuffed(readFileSync(order.ready))
  const frame = (mail: Buffer): Buffer[] =>
    what === 'data' ? [Buffer.from(`${ENVELOPE}DATA\r\n`), stuffed(mail)] : [Buffer.from(`${ENVELOPE}BDAT ${mail.length} LAST\r\n`), mail]
  return Buffer.concat(mails(order.messages, true).flatMap(frame))
}

/** Waits for so many replies, and counts one of several lines as one. */
async function replies(socket: Socket, count: number): Promise<void> {
  let left = count
  let held = ''
  while (left > 0) {
    const [chunk]: Buffer[] = await once(socket, 'data')
    const lines = (held + String(chunk)).split('\r\n')
    held = lines.pop() ?? ''
    left -= lines.filter((line) => line[3] === ' ').length
  }
}

const octets = messages()
const { port, ca } = order
const socket = ca === undefined ? connect({ port, host: '127.0.0.1', noDelay: true }) : connectTls({ port, host: '127.0.0.1', ca })
socket.setNoDelay(true)
await replies(socket, 1)
socket.write('EHLO raw\r\n')
await replies(socket, 1)
await forget(order)
const meter = new Meter(false)
meter.start()
if (what === 'file') {
  socket.write(`${ENVELOPE}DATA\r\n`)
  await replies(socket, 3)
}
const answered = replies(socket, what === 'file' ? 1 : order.messages * (what === 'data' ? 4 : 3))
for (let at = 0; at < octets.length; at += BLOCK_OCTETS) {
  if (!socket.write(octets.subarray(at, at + BLOCK_OCTETS))) await once(socket, 'drain')
}
await answered
const measured = meter.stop()
socket.end('QUIT\r\n')
await once(socket, 'close')
console.log(JSON.stringify({ ...measured, ...(await tally(order, what === 'file' ? 'attachment' : 'whole', false)) }))
