// The loopback mail server as a process of its own. Sends its addresses to the parent, then answers `{ stall: BYTES }` by putting a generated
// message of that size into the maildrop, and `{ taken: true }` by saying how many octets of it the server has taken so far.
import { startMailServer } from '../../test/support/mail-server.ts'

const server = await startMailServer()
const line = Buffer.from(`${'QUJD'.repeat(19)}\r\n`)
const block = Buffer.concat(Array.from({ length: 800 }, () => line))
let taken = 0

function* generated(bytes: number): Generator<Buffer> {
  yield Buffer.from('From: a@example.test\r\nTo: b@example.test\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n')
  yield Buffer.from('Content-Disposition: attachment; filename=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n')
  for (let count = 0; count < bytes; count += block.length) {
    taken += block.length
    yield block
  }
}

process.on('message', (message: { readonly stall?: number; readonly taken?: true }) => {
  if (message.stall !== undefined) {
    const bytes = message.stall
    taken = 0
    server.maildrop().add({ octets: bytes, open: () => generated(bytes) })
    process.send?.({ ready: true })
  } else process.send?.({ taken })
})
process.on('disconnect', () => void server.close())
process.send?.({ pop3: server.pop3.tlsPort, smtp: server.smtp.tlsPort, ca: server.ca })
