// node-pop3's stream into mailparser with its fastest options; the attachment's content. `node retrieve.mjs PORT [check]` prints a line of JSON;
// `check` hashes the content.
import { createHash } from 'node:crypto'
import { MailParser } from 'mailparser'
import Pop3Command from 'node-pop3'
import { peakMiB } from './peak.mjs'

const pop3 = new Pop3Command({ user: 'u1', password: 'pw-1', host: '127.0.0.1', port: Number(process.argv[2]) })
await pop3._connect()
const check = process.argv[3] === 'check'
const hash = createHash('sha256')
let octets = 0
const from = performance.now()
const [, stream] = await pop3.command('RETR', 1)
const parser = new MailParser({ skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true, checksumAlgo: false })
await new Promise((resolve, reject) => {
  parser.on('data', (data) => {
    if (data.type !== 'attachment') return
    data.content.on('data', (chunk) => {
      octets += chunk.length
      if (check) hash.update(chunk)
    })
    data.content.on('end', () => data.release())
  })
  parser.on('end', resolve)
  parser.on('error', reject)
  stream.on('error', reject)
  stream.pipe(parser)
})
const seconds = (performance.now() - from) / 1000
await pop3.QUIT()
console.log(JSON.stringify({ seconds, octets, digest: hash.digest('hex'), peakMiB: peakMiB() }))
