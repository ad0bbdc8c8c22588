// A POP3 server that costs as little as possible, as a process of its own: its messages and their wire form are in memory.
// `node server.js attachment|mails AMOUNT LATE_MS tls|plain` prints what it has as a line of JSON.
import { createHash } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { makeAuthority } from '../../test/support/certificates.ts'
import { lateWriter } from '../late.ts'
import { attachmentMessage } from '../messages.ts'
import { stuffed } from '../path/stuffing.ts'
import { mails } from './mails.ts'
import type { Maildrop } from './order.ts'

const TOGETHER_OCTETS = 128 * 1024 // answers up to this leave in one piece
const TLS_BLOCK_OCTETS = 256 * 1024 // a TLS socket would encrypt all that it is given before the first octet leaves

const [kind, amount, late, security] = process.argv.slice(2)
const attachment = kind === 'attachment' ? attachmentMessage(Number(amount)) : undefined
const messages = attachment === undefined ? mails(Number(amount), false) : [attachment.message]
const wires = messages.map((message) => Buffer.concat([Buffer.from(`+OK ${message.length} octets\r\n`), stuffed(message)]))
const total = sum(messages)
const isSecure = security === 'tls'

const answers: Readonly<Record<string, string>> = {
  CAPA: '+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\n.\r\n',
  STAT: `+OK ${messages.length} ${total}\r\n`,
  UIDL: `+OK\r\n${messages.map((_, at) => `${at + 1} m${at + 1}\r\n`).join('')}.\r\n`,
  LIST: `+OK\r\n${messages.map(({ length }, at) => `${at + 1} ${length}\r\n`).join('')}.\r\n`,
  AUTH: '-ERR no\r\n',
  APOP: '-ERR no\r\n',
}

function answer(line: string): Buffer {
  const verb = line.slice(0, 4).toUpperCase()
  const wire = verb === 'RETR' ? wires[Number(line.slice(5)) - 1] : undefined
  return wire ?? Buffer.from(verb === 'RETR' ? '-ERR no such message\r\n' : (answers[verb] ?? '+OK\r\n'))
}

function serve(socket: Socket): void {
  const write = lateWriter(isSecure ? inBlocks(socket) : (chunk) => void socket.write(chunk), Number(late))
  let held = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    const lines = (held + chunk.toString('latin1')).split('\r\n')
    held = lines.pop() ?? ''
    const given = lines.map(answer)
    if (sum(given) <= TOGETHER_OCTETS) write(Buffer.concat(given))
    else for (const one of given) write(one)
    if (lines.some((line) => line.toUpperCase() === 'QUIT')) setTimeout(() => socket.end(), Number(late) + 1)
  })
  write(Buffer.from('+OK ready\r\n'))
}

/** Writes a block when the socket wants more. */
function inBlocks(socket: Socket): (octets: Buffer) => void {
  const queue: Buffer[] = []
  const pump = (): void => {
    for (let [first] = queue; first !== undefined; [first] = queue) {
      if (socket.writableNeedDrain) return
      if (first.length <= TLS_BLOCK_OCTETS) queue.shift()
      else queue[0] = first.subarray(TLS_BLOCK_OCTETS)
      socket.write(first.subarray(0, TLS_BLOCK_OCTETS))
    }
  }
  socket.on('drain', pump)
  return (octets) => {
    queue.push(octets)
    pump()
  }
}

function sum(list: readonly Buffer[]): number {
  return list.reduce((count, { length }) => count + length, 0)
}

const authority = makeAuthority()
const { cert, key } = authority.issue()
const server = isSecure ? createTlsServer({ cert, key, noDelay: true }, serve) : createServer({ noDelay: true }, serve)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const hash = createHash('sha256')
  for (const message of messages) hash.update(message)
  const hello: Maildrop = {
    port: address.port,
    ca: isSecure ? authority.cert : undefined,
    messages: messages.length,
    octets: total,
    sha256: hash.digest('hex'),
    wire: sum(wires),
    attached: attachment && { octets: attachment.octets, sha256: attachment.sha256 },
  }
  console.log(JSON.stringify(hello))
})
