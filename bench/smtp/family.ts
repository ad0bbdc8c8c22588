import { limit, ours, peer, type Expected, type Family, type Goal, type Prepared, type Subject, type Workload } from '../family.ts'
import { Random } from '../messages.ts'
import { mails, text } from '../pop3/mails.ts'
import { needs } from '../programs.ts'
import { attachmentFiles } from './inputs.ts'
import { startSink } from './start-sink.ts'
import { digestOf, type Order } from './tally.ts'

const NODEMAILER = { against: 'nodemailer' } as const
const LATE_MS = 20

const nodemailer = (what: string, defaults: string, fastest: string): Subject[] => [
  { ...peer('nodemailer (defaults)', 'nodemailer.mjs', [what, 'defaults']), note: defaults },
  { ...peer('nodemailer (fastest)', 'nodemailer.mjs', [what, 'fastest']), note: fastest },
]

const curl: Subject = {
  ...peer('curl, ready-made message', 'curl-send.mjs'),
  missing: needs('curl'),
  note: 'reads and encodes nothing; with its start and its connection',
}

const largeBytes = (quick: boolean): number => (quick ? 10e6 : 100e6)

function large(name: string, isSecure: boolean, goals: readonly Goal[]): Workload {
  return {
    name,
    unit: 'MB/s',
    amount: largeBytes,
    does: 'read the file, compose the message, encode base64, send; octets of the file. The sink takes out dots, finds the end, keeps the octets',
    subjects: [
      { ...ours('wirepost', 'smtp/wirepost.js', 'file', 'envelope'), note: 'default options: DATA' },
      { ...ours('wirepost, file in 1 MiB', 'smtp/wirepost.js', 'file', 'envelope', 'blocks'), note: 'a stream of blocks of 1 MiB; DATA' },
      { ...ours('wirepost, CHUNKING', 'smtp/wirepost.js', 'file', 'envelope', 'chunking'), note: 'chunking: true' },
      ...nodemailer('file', 'attachment by path, a connection of its own', 'pool; the file in blocks of 1 MiB'),
      curl,
      limit(isSecure ? 'raw TLS socket' : 'raw socket', 'smtp/raw.js', 'file'),
    ],
    goals,
    prepare: async (quick) => {
      const { octets, sha256, ...files } = attachmentFiles(largeBytes(quick))
      return prepared({ ...files, size: octets, messages: 1 }, { messages: 1, octets, sha256 }, isSecure, 0, octets)
    },
  }
}

function small(name: string, pipelining: 'overlap' | 'back-to-back', lateMs: number, goals: readonly Goal[]): Workload {
  const count = (quick: boolean): number => (lateMs > 0 ? (quick ? 100 : 200) : quick ? 2000 : 10_000)
  const raw = limit('raw socket', 'smtp/raw.js', pipelining === 'overlap' ? 'data' : 'chunks')
  return {
    name,
    unit: 'messages/s',
    amount: count,
    does: `send messages that are there already over one open connection${lateMs > 0 ? ', whose answers come 20 ms late' : ''}; the sink reads and keeps them`,
    subjects: [
      { ...ours('wirepost', 'smtp/wirepost.js', 'mails', pipelining), note: `SmtpPool, maxConnections 1, pipelining '${pipelining}'` },
      ...(lateMs > 0 ? [] : [{ ...ours('wirepost (defaults)', 'smtp/wirepost.js', 'mails', 'envelope'), note: "pipelining 'envelope'" }]),
      ...nodemailer('mails', 'pool, maxConnections 1, raw', 'and maxMessages Infinity'),
      ...(lateMs > 0 ? [] : [{ ...raw, note: 'all transactions in one stream, without waiting for anything' }]),
    ],
    goals,
    prepare: async (quick) => prepared({ messages: count(quick) }, wholeOf(mails(count(quick), true)), false, lateMs),
  }
}

const drafts: Workload = {
  name: 'compose and send 10,000 x 2 KB',
  unit: 'messages/s',
  amount: (quick) => (quick ? 2000 : 10_000),
  does: 'compose each message from addresses, subject and text, and send it over one open connection',
  subjects: [
    { ...ours('wirepost', 'smtp/wirepost.js', 'drafts', 'overlap'), note: "DATA, pipelining 'overlap'" },
    { ...ours('wirepost, CHUNKING', 'smtp/wirepost.js', 'drafts', 'back-to-back'), note: "pipelining 'back-to-back'" },
    ...nodemailer('drafts', 'pool, maxConnections 1', 'and maxMessages Infinity'),
  ],
  goals: [],
  prepare: async (quick) => {
    const count = quick ? 2000 : 10_000
    const random = new Random(2048)
    const texts = Array.from({ length: count }, () => Buffer.from(text(random, true).trimEnd()))
    return prepared({ messages: count }, wholeOf(texts), false, 0)
  },
}

/** As the sink reckons: the digest of the digests in order. */
function wholeOf(messages: readonly Buffer[]): Expected {
  const octets = messages.reduce((sum, { length }) => sum + length, 0)
  return { messages: messages.length, octets, sha256: digestOf(messages.map(digestOf).toSorted().join('')) }
}

async function prepared(
  more: Pick<Order, 'messages'> & Partial<Order>,
  expected: Expected,
  isSecure: boolean,
  lateMs: number,
  amount?: number,
): Promise<Prepared> {
  const { order, stop } = await startSink(more, isSecure, lateMs)
  return { args: [JSON.stringify(order)], expected, amount, stop }
}

export const family: Family = {
  name: 'smtp',
  title: 'SMTP: mail on its way out',
  workloads: [
    large('a file of 100 MB', false, [
      { ...NODEMAILER, figure: 'rate', floor: 4, goal: 5 },
      { against: 'raw socket', figure: 'rate', floor: 0.5, goal: 0.5 },
    ]),
    large('a file of 100 MB, TLS', true, [
      { ...NODEMAILER, figure: 'rate', floor: 3, goal: 3.5 },
      { against: 'raw TLS socket', figure: 'rate', floor: 0.65, goal: 0.65 },
    ]),
    small('10,000 x 2 KB, DATA with overlap', 'overlap', 0, [
      { ...NODEMAILER, figure: 'rate', floor: 4, goal: 8 },
      { ...NODEMAILER, figure: 'cpu', floor: 6, goal: 6 },
    ]),
    small('10,000 x 2 KB, CHUNKING back to back', 'back-to-back', 0, [
      { ...NODEMAILER, figure: 'rate', floor: 15, goal: 30 },
      { ...NODEMAILER, figure: 'cpu', floor: 6, goal: 6 },
    ]),
    // One round trip a message and one more for the first, against two: twice as fast in the limit only.
    small('2 KB at 20 ms, DATA with overlap', 'overlap', LATE_MS, [{ ...NODEMAILER, figure: 'rate', floor: 2, goal: 2 }]),
    small('2 KB at 20 ms, CHUNKING back to back', 'back-to-back', LATE_MS, [{ ...NODEMAILER, figure: 'rate', floor: 25, goal: 50 }]),
    drafts,
  ],
}
