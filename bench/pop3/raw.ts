// The limit: everything is asked for at once, and what comes is counted, not looked at. `node raw.js data|onread MAILDROP`: with a listener for
// 'data', or into one buffer that is used again and again.
import { once } from 'node:events'
import { connect } from 'node:net'
import { Meter } from '../measure.ts'
import type { Maildrop } from './order.ts'

const BUFFER_OCTETS = 64 * 1024

const [mode, given = ''] = process.argv.slice(2)
const { port, messages, wire, octets: content }: Maildrop = JSON.parse(given)

let left = 0
let onDone = (): void => {}
function count(length: number): void {
  left -= length
  if (left <= 0) onDone()
}

/** Resolves when so many octets have come. */
function received(expected: number): Promise<void> {
  left += expected
  return new Promise((resolve) => (left <= 0 ? resolve() : (onDone = resolve)))
}

const options = { port, host: '127.0.0.1', noDelay: true }
const buffer = Buffer.alloc(BUFFER_OCTETS)
const onread = {
  buffer,
  callback: (length: number): boolean => {
    count(length)
    return true
  },
}
const socket = mode === 'onread' ? connect({ ...options, onread }) : connect(options)
if (mode === 'data') socket.on('data', ({ length }: Buffer) => count(length))
await received('+OK ready\r\n'.length)
socket.write('USER u1\r\nPASS pw-1\r\n')
await received(2 * '+OK\r\n'.length)

const commands = Array.from({ length: messages }, (_, at) => `RETR ${at + 1}\r\n`).join('')
const meter = new Meter(false)
meter.start()
const all = received(wire)
socket.write(commands)
await all
const measured = meter.stop({ messages, octets: content })
socket.end('QUIT\r\n')
socket.resume()
await once(socket, 'close')
console.log(JSON.stringify(measured))
