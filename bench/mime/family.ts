import { limit, ours, peer, type Family, type Goal, type Prepared, type Subject, type Workload } from '../family.ts'
import { gmime } from './gmime.ts'
import * as inputs from './inputs.ts'

export const STREAM = 'read, find the parts, undo the transfer encodings, count the octets of attachments'
export const BOX = 'parse in memory, decode subject and bodies: text to strings, attachments to octets'
const TOUCH = `${BOX}; ask for every address, date, message-id and parameter`

const javaScript = (name: string, ...args: readonly string[]): Subject => {
  const [of = name] = name.split(' (')
  return peer(name, 'mime.mjs', args, [of, 'JavaScript'])
}

const mailparser = [
  javaScript('mailparser (defaults)', 'mailparser', 'defaults'),
  { ...javaScript('mailparser (fastest)', 'mailparser', 'fastest'), note: 'no text made of HTML or HTML of text, no links, no checksums' },
]
const wasm: Subject = { ...peer('mail-parser-wasm', 'mime.mjs', ['mail-parser-wasm'], ['WebAssembly']), note: 'takes a string; text only' }
const others = [
  ...mailparser,
  javaScript('simpleParser (defaults)', 'simpleParser', 'defaults'),
  javaScript('simpleParser (fastest)', 'simpleParser', 'fastest'),
  javaScript('postal-mime', 'postal-mime'),
  { ...javaScript('letterparser', 'letterparser'), note: 'takes a string' },
  wasm,
  ...gmime,
]
const splitter = { ...javaScript('mailsplit', 'mailsplit'), note: 'splits; decodes by its own decoders' }
/** With memory that does not grow with the message. */
const constant = [...mailparser, splitter, ...gmime]
const wirepost = ours('wirepost', 'mime/wirepost.js', 'parse')
const reader: Subject = { ...ours('wirepost (readMessage)', 'mime/wirepost.js', 'read'), note: 'the stream reader on messages that are in memory' }
const decode: Subject = { ...limit('limit-b64', 'mime/limit.js', 'base64'), note: 'every octet through the native decoder' }
const reading: Subject = { ...limit('limit-read', 'mime/limit.js', 'read'), note: 'the file is read, nothing else' }

/** Of one message from a file, and of many in memory; for `bench/mime/own.ts` without the limits that know what is in it. */
export const streaming: readonly Subject[] = [wirepost, ...others, splitter, reading]
export const inMemory: readonly Subject[] = [wirepost, reader, ...others]

const rate = (against: string, floor: number, goal: number): Goal => ({ against, figure: 'rate', floor, goal })
const PEAK: Goal = { against: '', figure: 'peak', floor: 16, goal: 12 }
const ATTACHMENT = [rate('mailparser', 7, 9), rate('GMime', 1.8, 2.5), rate('limit-b64', 0.7, 0.85), PEAK]
/** Ahead of what survives in JavaScript, and as fast as Rust in WebAssembly. */
const HARD = [rate('JavaScript', 2.5, 2.5), rate('mail-parser-wasm', 0, 1)]

function streamed(name: string, bytes: number, make: (bytes: number) => Prepared, subjects: readonly Subject[], goals: readonly Goal[]): Workload {
  const amount = (quick: boolean): number => (quick ? Math.max(5e6, bytes / 5) : bytes)
  const prepare = async (quick: boolean): Promise<Prepared> => make(amount(quick))
  return { name, unit: 'MB/s', does: STREAM, amount, subjects: [wirepost, ...subjects], goals, prepare }
}

type Boxed = Pick<Workload, 'name' | 'unit' | 'goals'> & {
  readonly file: string
  readonly count: number
  readonly does?: string
  readonly work?: 'touch'
  readonly make: (count: number) => Parameters<typeof inputs.box>[3]
}

function boxed({ name, unit, goals, file, count, does = BOX, work, make }: Boxed): Workload {
  const amount = (quick: boolean): number => (quick ? Math.ceil(count / 5) : count)
  const prepare = async (quick: boolean): Promise<Prepared> => {
    const used = amount(quick)
    return inputs.box(`${file}-${used}`, work ?? 'box', unit === 'MB/s' ? 'octets' : 'messages', make(used))
  }
  return { name, unit, does, amount, subjects: inMemory, goals, prepare }
}

function grows(name: string, work: 'stream' | 'box', count: number, make: Parameters<typeof inputs.growth>[2]): Workload {
  return {
    name: `growth with ${name}`,
    unit: 'MB/s',
    does: 'the same work four times on n and once on 4n, best of nine',
    amount: () => count * 4,
    subjects: [ours('wirepost', 'mime/growth.js')],
    goals: [{ against: '', figure: 'growth', floor: 4.6, goal: 4.2 }],
    prepare: async (quick) => inputs.growth(work, `growth-${name.replaceAll(' ', '-')}`, make, quick ? Math.ceil(count / 2) : count),
  }
}

const file =
  (kind: string, make: (bytes: number) => Parameters<typeof inputs.stream>[1]) =>
  (bytes: number): Prepared =>
    inputs.stream(`${kind}-${bytes}`, make(bytes))
const base64 = file('base64', inputs.base64Attachment)

export const family: Family = {
  name: 'mime',
  title: 'MIME: messages taken apart',
  workloads: [
    streamed('base64 25 MB', 25e6, base64, [...others, splitter, decode, reading], ATTACHMENT),
    streamed(
      'base64 100 MB',
      100e6,
      base64,
      [...others, splitter, decode, reading],
      [...ATTACHMENT, { against: '', figure: 'input', floor: 65_536, goal: 65_536 }, { against: '', figure: 'first', floor: 5, goal: 2 }],
    ),
    streamed(
      'base64 500 MB',
      500e6,
      base64,
      [...constant, decode, reading],
      [...ATTACHMENT, { against: 'base64 25 MB', figure: 'flat', floor: 4, goal: 4 }],
    ),
    streamed(
      'base64 100 x 250 KB',
      25e6,
      file('base64-many', (bytes) => inputs.base64Attachments(100, bytes / 100)),
      [...others, splitter, decode],
      ATTACHMENT,
    ),
    boxed({
      name: 'base64 1 MB, 30 messages',
      file: 'base64-1MB',
      unit: 'MB/s',
      count: 30,
      make: (count) => inputs.base64Box(count, 1e6),
      goals: [rate('mailparser', 8, 11)],
    }),
    boxed({
      name: 'base64 50 KB, 300 messages',
      file: 'base64-50KB',
      unit: 'MB/s',
      count: 300,
      make: (count) => inputs.base64Box(count, 50_000),
      goals: [rate('mailparser', 6, 8)],
    }),
    boxed({
      name: 'mailbox of 5,000',
      file: 'mailbox',
      unit: 'messages/s',
      count: 5000,
      make: inputs.realisticMailbox,
      goals: [rate('mailparser', 8, 10), rate('mail-parser-wasm', 1.5, 2.2), rate('GMime', 1, 1.4)],
    }),
    boxed({
      name: 'mailbox of 5,000, all touched',
      file: 'mailbox',
      unit: 'messages/s',
      count: 5000,
      does: TOUCH,
      work: 'touch',
      make: inputs.realisticMailbox,
      goals: [rate('mailparser', 5, 8)],
    }),
    streamed(
      'quoted-printable 10 MB',
      10e6,
      file('qp', inputs.quotedPrintable),
      [...others, splitter, reading],
      [rate('mailparser', 6, 6), rate('GMime', 0, 0.9)],
    ),
    streamed(
      '8bit 25 MB',
      25e6,
      file('8bit', inputs.eightBit),
      [...others, splitter, reading],
      [rate('mailparser', 7, 7), rate('limit-read', 0, 0.6)],
    ),
    streamed(
      'binary 25 MB',
      25e6,
      file('binary', inputs.binary),
      [...others, splitter, reading],
      [rate('mailparser', 10, 10), rate('limit-read', 0, 0.6)],
    ),
    streamed('one line of 25 MB', 25e6, file('line', inputs.oneLine), [...others, splitter, reading], HARD),
    boxed({ name: '10,000 parts', file: 'parts', unit: 'MB/s', count: 5, make: (count) => inputs.manyParts(count, 10_000), goals: HARD }),
    boxed({ name: '20,000 header fields', file: 'fields', unit: 'MB/s', count: 10, make: (count) => inputs.manyFields(count, 20_000), goals: HARD }),
    boxed({ name: '100 levels', file: 'levels', unit: 'MB/s', count: 500, make: (count) => inputs.manyLevels(count, 100), goals: HARD }),
    grows('octets', 'stream', 25e6, inputs.base64Attachment),
    grows('octets of one line', 'stream', 10e6, inputs.oneLine),
    grows('parts', 'box', 2500, (parts) => inputs.manyParts(1, parts)),
    grows('header fields', 'box', 5000, (fields) => inputs.manyFields(1, fields)),
    grows('addresses', 'box', 5000, inputs.manyAddresses),
  ],
}
