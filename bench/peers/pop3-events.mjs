// mailpop3, or its elder poplib: each message as a string. `node pop3-events.mjs mailpop3|poplib MAILDROP`
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { Meter } from '../../.build/js/bench/measure.js'

const [name, given] = process.argv.slice(2)
const { port, messages } = JSON.parse(given)
const POP3Client = createRequire(import.meta.url)(name)
const client = new POP3Client(port, '127.0.0.1', {})
client.on('error', (error) => {
  throw error
})
await once(client, 'connect')
client.login('u1', 'pw-1')
await once(client, 'login')

const meter = new Meter(process.argv.at(-1) === 'check')
meter.start()
await new Promise((resolve, reject) => {
  client.on('retr', (isRight, number, content) => {
    if (!isRight) return reject(new Error(`RETR ${number} failed`))
    meter.content(Buffer.from(`${content}\r\n`))
    meter.messages++
    if (number === messages) resolve()
    else client.retr(number + 1)
  })
  client.retr(1)
})
const measured = meter.stop()
client.quit()
console.log(JSON.stringify(measured))
