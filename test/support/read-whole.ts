import { Description } from '../../src/mime/entity.ts'
import { parseMessage, readMessage, type Entity, type ParseOptions } from '../../src/mime/index.ts'

/** What a message turned out to be, in a form that two ways of reading it can be compared by. */
export interface Reading {
  readonly leaves: readonly { readonly section: string; readonly type: string; readonly content: string }[]
  readonly entities: readonly { readonly section: string; readonly type: string; readonly place: string; readonly defects: readonly string[] }[]
}

/** The same octets in one buffer that is written over again and again, as a transport does it. */
export async function* borrowed(octets: Buffer, sizes: () => number): AsyncGenerator<Buffer, void, undefined> {
  let memory = Buffer.alloc(0)
  for (let at = 0; at < octets.length;) {
    const length = Math.min(sizes(), octets.length - at)
    if (memory.length < length) memory = Buffer.alloc(length)
    memory.fill(0x2d)
    octets.copy(memory, 0, at, at + length)
    yield memory.subarray(0, length)
    at += length
  }
  memory.fill(0x2d)
}

export function parsed(octets: Buffer, options?: ParseOptions): Reading {
  const leaves: Reading['leaves'][number][] = []
  const all: Entity[] = []
  const stack = [parseMessage(octets, options)]
  for (let entity = stack.pop(); entity !== undefined; entity = stack.pop()) {
    all.push(entity)
    if (entity.parts.length === 0) leaves.push({ section: entity.section, type: entity.type, content: entity.content().toString('latin1') })
    stack.push(...entity.parts.toReversed())
  }
  return { leaves, entities: all.map(described) }
}

export async function streamed(octets: Buffer, sizes: () => number, options?: ParseOptions): Promise<Reading> {
  const leaves: Reading['leaves'][number][] = []
  const all = new Set<object>()
  const message = await readMessage(borrowed(octets, sizes), options)
  for await (const part of message.parts()) {
    const chunks: Buffer[] = []
    for await (const chunk of part.content) chunks.push(chunk)
    leaves.push({ section: part.section, type: part.type, content: Buffer.concat(chunks).toString('latin1') })
    for (const entity of [...part.path, part]) all.add(entity)
  }
  return { leaves, entities: [...all].map((entity) => described(entity)) }
}

function described(entity: object): Reading['entities'][number] {
  if (!(entity instanceof Description)) throw new TypeError('not an entity of ours')
  entity.touch()
  const { section, type, start, bodyStart, end, header, defects } = entity
  const place = `${start} ${bodyStart} ${end} ${header.fields.map(({ name, offset }) => `${name}@${offset}`).join(' ')}`
  return { section, type, place, defects: defects.map(({ code, offset }) => `${code}@${offset}`) }
}
