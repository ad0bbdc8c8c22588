// What any program does here at least: `limit.js read stream FILE` reads, `limit.js base64 stream FILE` also decodes every octet as base64 by the fastest native call.
import { Meter } from '../measure.ts'
import { feed } from './feed.ts'

const [work, , file = ''] = process.argv.slice(2)
const meter = new Meter(false)
meter.start()
for (const chunk of feed(file)) {
  meter.input += chunk.length
  if (work !== 'base64') continue
  const out = Buffer.allocUnsafeSlow(chunk.length)
  out.write(chunk.toString('latin1'), 'base64')
}
meter.print({ messages: undefined, parts: undefined, octets: undefined })
