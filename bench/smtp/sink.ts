// An SMTP server that costs as little as possible, as a process of its own. `node sink.js LATE_MS tls|plain` prints its ports as a line of JSON. What
// came is kept and looked at when somebody asks (tally.ts), so that it costs nothing while others are measured.
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { makeAuthority } from '../../test/support/certificates.ts'
import { lateWriter } from '../late.ts'
import { Incoming } from './incoming.ts'
import { contentOf, digestOf, type Tally } from './tally.ts'

// Memory that was touched before, so that no run pays for the first use of a page.
const arena = Buffer.alloc(320 * 1024 * 1024, 1)
let used = 0
let messages: (readonly Buffer[])[] = []

function keep(view: Buffer): Buffer {
  const from = used
  used += view.length
  if (used > arena.length) return Buffer.from(view)
  view.copy(arena, from)
  return arena.subarray(from, used)
}

function forget(): void {
  used = 0
  messages = []
}

/** The digest does not depend on the order of the messages, which several connections change. */
function tally(part: string, check: boolean): Tally {
  const contents = messages.map((pieces) => contentOf(Buffer.concat(pieces), part))
  const octets = contents.reduce((sum, { length }) => sum + length, 0)
  if (!check) return { messages: messages.length, octets }
  const [only] = contents
  if (contents.length === 1 && only !== undefined) return { messages: 1, octets, sha256: digestOf(only) }
  return { messages: messages.length, octets, sha256: digestOf(contents.map(digestOf).toSorted().join('')) }
}

const lateMs = Number(process.argv[2])
const isSecure = process.argv[3] === 'tls'

function serve(socket: Socket): void {
  const incoming = new Incoming(keep, (content) => void messages.push(content))
  const write = lateWriter((octets) => {
    socket.write(octets)
    if (incoming.hasEnded) socket.end()
  }, lateMs)
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    const replies = incoming.receive(chunk)
    if (replies !== '') write(Buffer.from(replies, 'latin1'))
  })
  write(Buffer.from('220 sink ESMTP\r\n'))
}

/** Answers one line: `forget`, or `PART` or `PART check`, which asks for a tally. */
function control(socket: Socket): void {
  socket.on('error', () => {})
  socket.once('data', (line) => {
    const [word = '', check] = line.toString().trim().split(' ')
    if (word === 'forget') forget()
    socket.end(`${JSON.stringify(word === 'forget' ? {} : tally(word, check === 'check'))}\n`)
  })
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const authority = makeAuthority()
const { cert, key } = authority.issue()
const server = isSecure ? createTlsServer({ cert, key, noDelay: true }, serve) : createServer({ noDelay: true }, serve)
console.log(JSON.stringify({ port: await listen(server), control: await listen(createServer(control)), ca: isSecure ? authority.cert : undefined }))
