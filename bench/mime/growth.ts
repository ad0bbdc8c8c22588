// `growth.js stream|box SMALL LARGE`: the same work on n and on 4n in one process, in turns; the best of each, and one over the other.
import { parseMessage, readMessage, type Entity } from '../../src/mime/index.ts'
import { Meter } from '../measure.ts'
import { feed, readBox } from './feed.ts'

const [work, small = '', large = ''] = process.argv.slice(2)
const TURNS = 5
const meter = new Meter(false)

async function* source(file: string): AsyncGenerator<Buffer, void, undefined> {
  yield* feed(file)
}

async function readOne(file: string): Promise<void> {
  const message = await readMessage(source(file))
  for await (const part of message.parts()) for await (const chunk of part.content) meter.content(chunk)
}

function open(entity: Entity): void {
  if (entity.parts.length > 0) for (const part of entity.parts) open(part)
  else meter.content(entity.content())
}

function parseAll(messages: readonly Buffer[]): void {
  for (const message of messages) {
    const entity = parseMessage(message)
    for (const { value } of entity.header.fields) meter.note(value)
    meter.messages += entity.header.addresses('cc').length
    open(entity)
  }
}

function timed(file: string): () => Promise<number> {
  const messages = work === 'box' ? readBox(file) : []
  return async () => {
    const from = performance.now()
    if (work === 'box') parseAll(messages)
    else await readOne(file)
    return performance.now() - from
  }
}

const [n, fourTimes] = [timed(small), timed(large)]
await n()
await fourTimes()
let least = Number.POSITIVE_INFINITY
let most = Number.POSITIVE_INFINITY
meter.start()
for (let turn = 0; turn < TURNS; turn++) {
  least = Math.min(least, await n())
  most = Math.min(most, await fourTimes())
}
meter.print({ ms: most, growth: most / least, parts: undefined, octets: undefined, messages: undefined })
