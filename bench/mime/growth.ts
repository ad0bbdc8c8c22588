// `growth.js stream|box SMALL LARGE`: the same work four times on n and once on 4n in one process, in turns; the best of each. Four times, so that both
// sides have the same garbage to collect.
import { parseMessage, readMessage, type Entity } from '../../src/mime/index.ts'
import { Meter } from '../measure.ts'
import { feed, readBox } from './feed.ts'

const [work, small = '', large = ''] = process.argv.slice(2)
const TURNS = 9
const TIMES = 4
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

/** Milliseconds of one of `times` runs. */
function timed(file: string, times: number): () => Promise<number> {
  const messages = work === 'box' ? readBox(file) : []
  return async () => {
    const from = performance.now()
    for (let run = 0; run < times; run++) {
      if (work === 'box') parseAll(messages)
      else await readOne(file)
    }
    return (performance.now() - from) / times
  }
}

const [n, fourTimes] = [timed(small, TIMES), timed(large, 1)]
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
