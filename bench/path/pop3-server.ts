// A POP3 server that costs as little as possible: one message, its wire form made once. `node pop3-server.js BYTES` prints its port.
import { createServer } from 'node:net'
import { stuffed } from './stuffing.ts'
import { attachmentMessage } from '../messages.ts'

const { message, octets, sha256 } = attachmentMessage(Number(process.argv[2] ?? 100_000_000))
const wire = stuffed(message)
const answers: Readonly<Record<string, string>> = {
  CAPA: '+OK\r\nTOP\r\nUIDL\r\nUSER\r\n.\r\n',
  STAT: `+OK 1 ${message.length}\r\n`,
  UIDL: '+OK\r\n1 m1\r\n.\r\n',
  LIST: `+OK\r\n1 ${message.length}\r\n.\r\n`,
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  socket.write('+OK ready\r\n')
  let held = ''
  socket.on('data', (chunk) => {
    const lines = (held + chunk.toString('latin1')).split('\r\n')
    held = lines.pop() ?? ''
    for (const line of lines) {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'RETR') {
        socket.write(`+OK ${message.length} octets\r\n`)
        socket.write(wire)
      } else if (verb === 'QUIT') socket.end('+OK\r\n')
      else socket.write(answers[verb] ?? '+OK\r\n')
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  console.log(JSON.stringify({ port: address.port, octets, sha256, message: message.length }))
})
