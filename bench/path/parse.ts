// wirepost: parseMessage over small messages, every body decoded, four header fields read. `node parse.js COUNT` prints a line of JSON.
import { createHash } from 'node:crypto'
import { parseMessage, type Entity } from '../../src/mime/index.ts'
import { smallMessages } from '../messages.ts'
import { peakMiB } from '../processes.ts'

const messages = smallMessages(Number(process.argv[2]))
const hash = createHash('sha256')
let octets = 0
let attachments = 0

function open(entity: Entity): void {
  if (entity.parts.length > 0) for (const part of entity.parts) open(part)
  else if (entity.disposition === 'attachment') attachments += entity.content().length
  else octets += entity.text().length
}

function read(message: Buffer): string {
  const entity = parseMessage(message)
  open(entity)
  const { header } = entity
  return `${header.value('subject')}|${header.value('message-id')}|${header.addresses('from').length}|${header.addresses('to').length}|`
}

for (const message of messages.slice(0, 2000)) read(message) // both sides warm up, with all that is measured
octets = 0
attachments = 0
const from = performance.now()
for (const message of messages) hash.update(read(message))
const seconds = (performance.now() - from) / 1000
hash.update(`${attachments}`)
console.log(JSON.stringify({ seconds, octets, digest: hash.digest('hex'), peakMiB: peakMiB() }))
