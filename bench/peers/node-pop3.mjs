// node-pop3: each message as a stream, or by RETR() as a string. `node node-pop3.mjs stream|RETR MAILDROP`
import Pop3Command from 'node-pop3'
import { Meter } from '../../.build/js/bench/measure.js'

const [mode, given] = process.argv.slice(2)
const { port, ca, messages } = JSON.parse(given)
const pop3 = new Pop3Command({ user: 'u1', password: 'pw-1', host: '127.0.0.1', port, tls: ca !== undefined, tlsOptions: { ca } })
await pop3._connect()
const CRLF = Buffer.from('\r\n')

async function stream(number) {
  const [, octets] = await pop3.command('RETR', number)
  let last
  for await (const chunk of octets) {
    meter.content(chunk)
    last = chunk
  }
  // It takes the last line end for a part of the final dot.
  if (last === undefined || !last.subarray(-2).equals(CRLF)) meter.content(CRLF)
}

async function whole(number) {
  meter.content(Buffer.from(`${await pop3.RETR(number)}\r\n`))
}

const meter = new Meter(process.argv.at(-1) === 'check')
meter.start()
for (let number = 1; number <= messages; number++) {
  await (mode === 'stream' ? stream(number) : whole(number))
  meter.messages++
}
const measured = meter.stop()
await pop3.QUIT()
console.log(JSON.stringify(measured))
