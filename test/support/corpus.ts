import { decodeText } from '../../src/mime/charset/decode.ts'
import { Description } from '../../src/mime/entity.ts'
import { editMessage, type Edit } from '../../src/mime/edit.ts'
import { parseMessage, readMessage, type Described, type Entity } from '../../src/mime/index.ts'
import { MailError } from '../../src/errors.ts'
import { borrowed } from './read-whole.ts'

/** Octets in a chunk; 0: all in one. */
export const CHUNK_SIZES = [1, 2, 7, 64, 4096, 0]

/** What must hold for every message, whatever is in it. Each gives what does not, in words. */
const CHECKS: readonly ((message: Subject) => readonly string[] | Promise<readonly string[]>)[] = [
  keepsEveryOctet,
  editsOnlyWhatIsEdited,
  readsAlikeHoweverChunked,
  readsAlikeWithCrlf,
  givesEnclosedMessagesWhole,
]

interface Subject {
  readonly octets: Buffer
  readonly root: Entity
  readonly sizes: readonly number[]
}

/** What is wrong with the way that a message is read: nothing, or so many lines of text. */
export async function violations(octets: Buffer, sizes: readonly number[] = CHUNK_SIZES): Promise<string[]> {
  const message = { octets, root: parseMessage(octets), sizes }
  const found: string[] = []
  for (const check of CHECKS) for (const one of await check(message)) found.push(`${check.name}: ${one}`)
  return found
}

// ── octets ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** From the tree alone: header section, preamble, delimiters, parts and epilogue one after another are the message. */
function keepsEveryOctet({ octets, root }: Subject): readonly string[] {
  const found: string[] = []
  if (!root.raw.equals(octets)) found.push('the raw octets of the message are not the message')
  for (const { entity } of nodesOf(root)) {
    const wrong = rebuilt(entity, found)
    if (!wrong.equals(entity.raw)) found.push(`${nameOf(entity)} is not the sum of what is in it`)
  }
  return found
}

function rebuilt(entity: Entity, found: string[]): Buffer {
  const { start, bodyStart, end, header } = described(entity)
  const body = entity.raw.subarray(bodyStart - start)
  const pieces = [entity.raw.subarray(0, bodyStart - start)]
  const fields = Buffer.concat(header.fields.map(({ raw }) => raw))
  const isCut = described(entity).defects.some(({ code }) => code === 'header-limit')
  const rest = entity.raw.subarray(fields.length, bodyStart - start)
  if (!isCut && !(entity.raw.subarray(0, fields.length).equals(fields) && /^\r?\n?$/.test(rest.toString('latin1')))) {
    found.push(`the fields of ${nameOf(entity)} are not its header section`)
  }
  if (end < bodyStart || entity.raw.length !== end - start) found.push(`${nameOf(entity)} ends where it does not`)
  if (entity.parts.length === 0 || isEncoded(entity)) return Buffer.concat([...pieces, body])
  let at = bodyStart
  for (const part of entity.parts) {
    const inside = described(part)
    if (inside.start < at || inside.end > end) found.push(`${nameOf(part)} does not lie where it belongs`)
    pieces.push(between(entity, at, inside.start, found), part.raw)
    at = inside.end
  }
  pieces.push(between(entity, at, end, found))
  return Buffer.concat(pieces)
}

/** What stands between parts: delimiters and nothing else, but for the preamble and the epilogue. */
function between(entity: Entity, from: number, to: number, found: string[]): Buffer {
  const { start, bodyStart, end, kind } = described(entity)
  const octets = entity.raw.subarray(from - start, to - start)
  const boundary = (entity.parameters.get('boundary') ?? '').replace(/[ \t]+$/, '')
  let lines = octets.toString('latin1')
  if (kind !== 'multipart') {
    if (octets.length > 0) found.push(`there is something around the message in ${nameOf(entity)}`)
    return octets
  }
  if (from === bodyStart) {
    if (!octets.subarray(0, entity.preamble.length).equals(entity.preamble)) found.push(`the preamble of ${nameOf(entity)} is not where it belongs`)
    lines = lines.slice(entity.preamble.length)
  }
  if (to === end) {
    if (!octets.subarray(octets.length - entity.epilogue.length).equals(entity.epilogue)) {
      found.push(`the epilogue of ${nameOf(entity)} is not where it belongs`)
    }
    lines = lines.slice(0, lines.length - entity.epilogue.length)
  }
  while (lines !== '') {
    const lineEnd = /^\r?\n/.exec(lines)?.[0] ?? ''
    const next = lines.indexOf('\n', lineEnd.length) + 1
    const line = lines.slice(lineEnd.length, next === 0 ? undefined : next)
    if (![`--${boundary}`, `--${boundary}--`].includes(line.replace(/[ \t]*\r?\n?$/, ''))) {
      found.push(`between the parts of ${nameOf(entity)} is ${JSON.stringify(line.slice(0, 100))}`)
      break
    }
    lines = lines.slice(lineEnd.length + line.length)
  }
  return octets
}

// ── edits ──────────────────────────────────────────────────────────────────────────────────────────────────────

const MAX_EDITED = 6 // parts of a message that are edited one by one

/** With no edits the message is written back; with one, every other leaf has the octets that it had. */
function editsOnlyWhatIsEdited({ octets, root }: Subject): readonly string[] {
  const found: string[] = []
  if (!editMessage(root, []).equals(octets)) found.push('without edits another message is written')
  const lineEnd = octets.includes('\r\n') ? '\r\n' : '\n'
  const added = Buffer.from(`Content-Type: x/new${lineEnd}${lineEnd}new`)
  const before = leavesOf(root)
  const multiparts = [...nodesOf(root)].map(({ entity }) => entity).filter((entity) => described(entity).kind === 'multipart')
  const places = multiparts.flatMap((to) => to.parts.map((part) => ({ to, part }))).filter(({ part }) => leavesOf(part).every(isFixed))
  for (const { to, part } of places.slice(0, MAX_EDITED)) {
    const inside = leavesOf(part)
    const at = before.indexOf(inside[0] ?? part)
    const others = [before.slice(0, at), before.slice(at + inside.length)] as const
    const edits: readonly (readonly [Edit, readonly Buffer[]])[] = [
      [{ remove: part }, []],
      [{ replace: part, by: added }, [added]],
      [{ add: added, to, before: part }, [added, ...inside.map(({ raw }) => raw)]],
      ...(part === to.parts.at(-1) ? [[{ add: added, to }, [...inside.map(({ raw }) => raw), added]] as const] : []),
    ]
    for (const [edit, here] of edits) {
      const wanted = [...others[0].map(({ raw }) => raw), ...here, ...others[1].map(({ raw }) => raw)]
      try {
        const after = leavesOf(parseMessage(editMessage(root, [edit]))).map(({ raw }) => raw)
        const isRight = after.length === wanted.length && after.every((raw, index) => wanted[index]?.equals(raw))
        if (!isRight)
          found.push(`${Object.keys(edit)[0]} ${nameOf(part)}: ${JSON.stringify(after.map(String))} instead of ${JSON.stringify(wanted.map(String))}`)
      } catch (error) {
        if (!(error instanceof MailError && error.code === 'ERR_CONTENT')) throw error
      }
    }
  }
  return found
}

/** Text right behind fields is text as long as no empty line comes after it, and an edit can bring one. */
const isFixed = (part: Entity): boolean => !part.defects.some(({ code }) => code === 'missing-blank-line')

const leavesOf = (root: Entity): Entity[] => [...nodesOf(root)].flatMap(({ entity }) => (entity.parts.length === 0 ? [entity] : []))

// ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** All that can be known of an entity, but for its content. */
interface Facts {
  readonly section: string
  readonly type: string
  readonly place: string
  readonly about: string
  readonly defects: readonly string[]
}

async function readsAlikeHoweverChunked({ octets, sizes }: Subject): Promise<readonly string[]> {
  const found: string[] = []
  const root = parseMessage(octets)
  const nodes = [...nodesOf(root)].map(({ entity }) => entity)
  const leaves = nodes.filter(({ parts }) => parts.length === 0)
  const contents = leaves.map((leaf) => leaf.content())
  const facts = nodes.map((entity) => factsOf(entity))
  const texts = leaves.map((leaf) => (leaf.type.startsWith('text/') ? leaf.text() : ''))
  for (const size of sizes) {
    const where = size === 0 ? 'as one chunk' : `in chunks of ${size}`
    const seen = new Set<Described>()
    let count = 0
    const message = await readMessage(borrowed(octets, () => (size === 0 ? octets.length : size)))
    for await (const part of message.parts()) {
      const content = await collected(part.content)
      const leaf = leaves[count]
      if (leaf === undefined) break
      if (contents[count]?.equals(content) !== true) found.push(`other content of ${nameOf(leaf)} ${where}`)
      const text = part.type.startsWith('text/') ? decodeText(content, part.charset, () => undefined) : ''
      if (text !== texts[count]) found.push(`other text of ${nameOf(leaf)} ${where}`)
      for (const entity of [...part.path, part]) seen.add(entity)
      count++
    }
    if (count !== leaves.length) found.push(`not ${leaves.length} leaves but ${count} ${where}`)
    const others = [...seen].map((entity) => factsOf(entity))
    if (others.length !== facts.length) found.push(`not ${facts.length} entities but ${others.length} ${where}`)
    for (const [index, fact] of facts.entries()) {
      const other = others[index]
      if (other !== undefined && JSON.stringify(other) !== JSON.stringify(fact)) {
        found.push(`${where} ${JSON.stringify(other)} instead of ${JSON.stringify(fact)}`)
      }
    }
  }
  return found
}

function factsOf(entity: Described): Facts {
  const one = described(entity)
  one.touch()
  const { start, bodyStart, end, header } = one
  return {
    section: entity.section,
    type: entity.type,
    place: `${start} ${bodyStart} ${end} ${header.fields.map(({ offset, raw }) => `${offset}+${raw.length}`).join(' ')}`,
    about: JSON.stringify([...entity.parameters, entity.disposition, entity.fileName, entity.safeFileName, entity.contentId, entity.charset]),
    defects: entity.defects.map(({ code, offset, section, severity }) => `${code}@${offset} ${section} ${severity}`),
  }
}

// ── line ends ───────────────────────────────────────────────────────────────────────────────────────────────────

/** With every LF made CRLF: the same tree, the same defects but for the one that notes a bare LF, the same content but for line ends. */
function readsAlikeWithCrlf({ octets, root }: Subject): readonly string[] {
  const found: string[] = []
  const text = octets.toString('latin1')
  if (!/(?:^|[^\r])\n/.test(text)) return found
  const nodes = [...nodesOf(root)]
  const others = [...nodesOf(parseMessage(Buffer.from(withCrlf(text), 'latin1')))]
  if (nodes.length !== others.length) return [`${others.length} entities instead of ${nodes.length}`]
  for (const [index, { entity, depth }] of nodes.entries()) {
    const other = others[index]
    if (other === undefined) continue
    const before = shapeOf(entity, depth)
    const after = shapeOf(other.entity, other.depth)
    if (before !== after) found.push(`${after} instead of ${before}`)
    if (entity.parts.length > 0) continue
    const content = entity.content()
    const otherContent = other.entity.content()
    const same = isExact(entity) ? content.equals(otherContent) : lines(content) === lines(otherContent)
    if (!same) found.push(`other content of ${nameOf(entity)}`)
  }
  return found
}

const withCrlf = (text: string): string => text.replace(/\r?\n/g, '\r\n')

/** An encoded CR before a line end that is not is another one than CRLF: no more is asked than that text stays text. */
const lines = (content: Buffer): string => content.toString('latin1').replace(/\r+(?=\n|$)/g, '')

function shapeOf(entity: Entity, depth: number): string {
  const { section, type, fileName, charset, disposition, encoding, header } = entity
  const fields = header.fields.map(({ name, value }) => [name, value])
  const codes = described(entity)
    .defects.map(({ code }) => code)
    .filter((code) => code !== 'bare-lf')
    .toSorted()
  return JSON.stringify({ depth, section, type, fileName, charset, disposition, encoding, parameters: [...entity.parameters], codes, fields })
}

/** Line ends are no content of these. */
const isExact = (entity: Entity): boolean => described(entity).decoder() !== null && entity.encoding !== 'quoted-printable'

// ── enclosed messages ───────────────────────────────────────────────────────────────────────────────────────────

/** Not taken apart, an enclosed message has the octets that it has when it is. */
async function givesEnclosedMessagesWhole({ octets, root, sizes }: Subject): Promise<readonly string[]> {
  const all = [...nodesOf(root)].map(({ entity }) => entity)
  // What is inside is not looked at, so its delimiters are unknown; and parts in it are not counted.
  const isOther = all.some((entity) => entity.defects.some(({ code }) => code === 'duplicate-boundary' || code.endsWith('-limit')))
  if (isOther || !all.some((entity) => described(entity).kind === 'message')) return []
  const wanted: Entity[] = []
  const stack = [root]
  for (let entity = stack.pop(); entity !== undefined; entity = stack.pop()) {
    if (entity.parts.length === 0 || described(entity).kind === 'message') wanted.push(entity)
    else stack.push(...entity.parts.toReversed())
  }
  const found: string[] = []
  for (const size of sizes) {
    let count = 0
    const message = await readMessage(borrowed(octets, () => (size === 0 ? octets.length : size)))
    for await (const part of message.parts({ enclosed: 'leaf' })) {
      const content = await collected(part.content)
      const entity = wanted[count++]
      if (entity?.section !== part.section || !isContent(entity, content)) found.push(`other octets of ${part.section} in chunks of ${size}`)
    }
    if (count !== wanted.length) found.push(`not ${wanted.length} parts but ${count} in chunks of ${size}`)
  }
  return found
}

/** A header section that ends at a delimiter has the line end that the delimiter takes from a body. */
function isContent(entity: Entity, content: Buffer): boolean {
  const whole = entity.content()
  const rest = whole.subarray(content.length).toString('latin1')
  return whole.subarray(0, content.length).equals(content) && (rest === '' || (/^\r?\n$/.test(rest) && endsInHeader(entity)))
}

function endsInHeader(message: Entity): boolean {
  for (let entity = message.parts.at(-1); entity !== undefined; entity = entity.parts.at(-1)) {
    if (entity.parts.length === 0) return described(entity).bodyStart === described(entity).end
  }
  return false
}

// ── entities ────────────────────────────────────────────────────────────────────────────────────────────────────

export function* nodesOf(root: Entity): Generator<{ readonly entity: Entity; readonly depth: number }> {
  const stack = [{ entity: root, depth: 0 }]
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node
    for (const part of node.entity.parts.toReversed()) stack.push({ entity: part, depth: node.depth + 1 })
  }
}

/** What lies in it is decoded first, and has its own octets. */
const isEncoded = (entity: Entity): boolean => described(entity).kind === 'message' && described(entity).decoder() !== null

const nameOf = (entity: Entity): string => `${entity.section === '' ? 'the message' : entity.section} (${entity.type})`

function described(entity: Described): Description {
  if (!(entity instanceof Description)) throw new TypeError('not an entity of ours')
  return entity
}

async function collected(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}
