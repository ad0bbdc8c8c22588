// wirepost: `wirepost.js parse|read stream|box|touch FILE [check]`. In a box `parse` is parseMessage, `read` is readMessage.
import { decodeTextStream, parseMessage, readMessage, type Described, type Entity, type Header, type Part } from '../../src/mime/index.ts'
import { Meter } from '../measure.ts'
import { feed, readBox, warmUp } from './feed.ts'

const [how, work, file = '', mode] = process.argv.slice(2)
const messages = work === 'stream' ? [] : readBox(file)
const meter = new Meter(mode === 'check')
const ADDRESS_FIELDS = ['from', 'to', 'cc', 'bcc', 'reply-to', 'sender']
const ID_FIELDS = ['message-id', 'in-reply-to', 'references']
let touched = 0

/** Text is made a string; what is not text, or says that it is an attachment, is counted in octets. */
function isAttachment({ type, disposition }: Described): boolean {
  return disposition === 'attachment' || !type.startsWith('text/')
}

function readHeader(header: Header): void {
  meter.note(`${header.value('subject')}|${header.value('message-id')}|`)
  touched += (header.value('from')?.length ?? 0) + (header.value('to')?.length ?? 0)
  if (work !== 'touch') return
  for (const name of ADDRESS_FIELDS) touched += header.addresses(name).length
  for (const name of ID_FIELDS) touched += header.messageIds(name).length
  touched += header.date()?.getTime() ?? 0
}

function touchPart({ parameters, fileName, charset, contentId }: Described): void {
  touched += parameters.size + (fileName?.length ?? 0) + (charset?.length ?? 0) + (contentId?.length ?? 0)
}

function open(entity: Entity): void {
  if (work === 'touch') touchPart(entity)
  if (entity.parts.length > 0) {
    for (const part of entity.parts) open(part)
    return
  }
  meter.parts++
  if (isAttachment(entity)) meter.content(entity.content())
  else touched += entity.text().length
}

function parse(message: Buffer): void {
  meter.messages++
  const entity = parseMessage(message)
  readHeader(entity.header)
  open(entity)
}

async function readPart(part: Part): Promise<void> {
  meter.parts++
  const counts = isAttachment(part)
  if (counts || work === 'stream') {
    for await (const chunk of part.content) if (counts) meter.content(chunk)
  } else for await (const text of decodeTextStream(part)) touched += text.length
}

async function* one(message: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield message
}

async function read(octets: Buffer): Promise<void> {
  meter.messages++
  const message = await readMessage(one(octets))
  readHeader(message.header)
  for await (const part of message.parts()) await readPart(part)
}

async function* source(): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of feed(file)) {
    meter.input += chunk.length
    yield chunk
  }
}

if (work === 'stream') {
  meter.start()
  const message = await readMessage(source())
  for await (const part of message.parts()) await readPart(part)
} else {
  if (how === 'read') for (const message of warmUp(messages)) await read(message)
  else for (const message of warmUp(messages)) parse(message)
  meter.start()
  if (how === 'read') for (const message of messages) await read(message)
  else for (const message of messages) parse(message)
}
meter.print({ messages: work === 'stream' ? undefined : meter.messages })
if (touched < 0) throw new Error('nothing was read')
