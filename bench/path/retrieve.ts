// wirepost: retrieve → readMessage → the attachment's content. `node retrieve.js PORT [idle|check]` prints a line of JSON; `check` hashes the content.
import { createHash } from 'node:crypto'
import { readMessage } from '../../src/mime/index.ts'
import { Pop3Client } from '../../src/pop3/index.ts'
import { peakMiB } from '../processes.ts'

const [port, mode] = process.argv.slice(2)
const client = await Pop3Client.connect({
  host: '127.0.0.1',
  port: Number(port),
  security: 'none',
  allowClearTextAuth: true,
  auth: { user: 'u1', password: 'pw-1' },
})
const hash = createHash('sha256')
let octets = 0
const from = performance.now()
if (mode !== 'idle') {
  const message = await readMessage(client.retrieve(1).views())
  for await (const part of message.parts()) {
    if (part.disposition !== 'attachment') continue
    for await (const chunk of part.content) {
      octets += chunk.length
      if (mode === 'check') hash.update(chunk)
    }
  }
}
const seconds = (performance.now() - from) / 1000
await client.quit()
console.log(JSON.stringify({ seconds, octets, digest: hash.digest('hex'), peakMiB: peakMiB() }))
