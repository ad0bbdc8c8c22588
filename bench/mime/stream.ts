// wirepost, streaming: `stream.js FILE [check]`. Every leaf is read to its end, and attachments count.
import { readMessage } from '../../src/mime/index.ts'
import { Meter } from '../measure.ts'
import { feed } from './feed.ts'

const [file = '', mode] = process.argv.slice(2)
const meter = new Meter(mode === 'check')

async function* source(): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of feed(file)) {
    meter.input += chunk.length
    yield chunk
  }
}

meter.start()
const message = await readMessage(source())
for await (const part of message.parts()) {
  meter.parts++
  const isAttachment = part.disposition === 'attachment'
  for await (const chunk of part.content) if (isAttachment) meter.content(chunk)
}
meter.print()
