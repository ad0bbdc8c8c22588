// mailparser with its fastest options over the same small messages. `node parse.mjs COUNT MESSAGES.js` prints a line of JSON.
import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { MailParser } from 'mailparser'
import { peakMiB } from './peak.mjs'

const { smallMessages } = await import(pathToFileURL(process.argv[3]).href)
const messages = smallMessages(Number(process.argv[2]))
const options = { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true, checksumAlgo: false }
const hash = createHash('sha256')
let octets = 0
let attachments = 0

function parse(message) {
  return new Promise((resolve, reject) => {
    const parser = new MailParser(options)
    let headers
    parser.on('headers', (map) => (headers = map))
    parser.on('data', (data) => {
      if (data.type === 'attachment') {
        data.content.on('data', (chunk) => (attachments += chunk.length))
        data.content.on('end', () => data.release())
      } else octets += (data.text ?? '').length + (data.html || '').length
    })
    parser.on('end', () => resolve(headers))
    parser.on('error', reject)
    parser.end(message)
  })
}

for (const message of messages.slice(0, 2000)) await parse(message)
octets = 0
attachments = 0
const from = performance.now()
for (const message of messages) {
  const headers = await parse(message)
  hash.update(`${headers.get('subject')}|${headers.get('message-id')}|${headers.get('from').value.length}|${headers.get('to').value.length}|`)
}
const seconds = (performance.now() - from) / 1000
hash.update(`${attachments}`)
console.log(JSON.stringify({ seconds, octets, digest: hash.digest('hex'), peakMiB: peakMiB() }))
