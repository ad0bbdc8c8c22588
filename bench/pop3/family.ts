import { limit, ours, peer, type Family, type Goal, type Prepared, type Subject, type Workload } from '../family.ts'
import { needs } from '../programs.ts'
import { startMaildrop } from './order.ts'

const LATE_MS = 20
const WHOLE_MESSAGE = 'each message as a string'

const nodePop3: Subject = peer('node-pop3 (stream)', 'node-pop3.mjs', ['stream'])
const nodePop3Whole: Subject = { ...peer('node-pop3 (RETR)', 'node-pop3.mjs', ['RETR']), note: WHOLE_MESSAGE }
const mailpop3: Subject = { ...peer('mailpop3', 'pop3-events.mjs', ['mailpop3']), note: WHOLE_MESSAGE }
const poplib: Subject = { ...peer('poplib for Node', 'pop3-events.mjs', ['poplib']), note: WHOLE_MESSAGE }
const python: Subject = {
  name: "Python's poplib",
  kind: 'peer',
  command: ['python3', 'bench/peers/pop3.py'],
  missing: needs('python3'),
  note: 'each message as a list of lines',
}
const curl: Subject = {
  ...peer('curl', 'curl-fetch.mjs', ['messages']),
  missing: needs('curl'),
  note: 'one run for all messages; with its start and its login',
}
const mpop: Subject = { ...peer('mpop', 'mpop.mjs'), missing: needs('mpop'), note: 'into an mbox file; with its start and its login' }
const listener = limit("'data' listener", 'pop3/raw.js', 'data')
const onread = limit('raw socket', 'pop3/raw.js', 'onread')

const BEST = 'the best peer'
const rival = (subject: Subject): Subject => ({ ...subject, of: [BEST, ...(subject.of ?? [])] })

const largeBytes = (quick: boolean): number => (quick ? 10e6 : 100e6)

function large(name: string, isSecure: boolean, goals: readonly Goal[]): Workload {
  return {
    name,
    unit: 'MB/s',
    amount: largeBytes,
    does: 'retrieve one message piece by piece, take out dots, count octets of the message',
    subjects: [
      { ...ours('wirepost', 'pop3/wirepost.js', 'views'), note: 'retrieve().views(): each chunk is valid until the next' },
      { ...ours('wirepost, owned chunks', 'pop3/wirepost.js', 'stream'), note: 'retrieve(): each chunk is a copy' },
      { ...nodePop3, note: 'does not take out dots' },
      ...(isSecure ? [curl] : [python, curl, mpop, listener, onread]),
    ],
    goals,
    prepare: async (quick) => oneMessage(largeBytes(quick), isSecure),
  }
}

async function oneMessage(bytes: number, isSecure: boolean): Promise<Prepared> {
  const { maildrop, stop } = await startMaildrop('attachment', bytes, 0, isSecure)
  const { octets, sha256 } = maildrop
  return { args: [JSON.stringify(maildrop)], expected: { messages: 1, octets, sha256 }, amount: octets, stop }
}

const value: Workload = {
  name: '10 MB as one value',
  unit: 'MB/s',
  amount: (quick) => (quick ? 2e6 : 10e6),
  does: 'retrieve one message and have it whole',
  subjects: [{ ...ours('wirepost', 'pop3/wirepost.js', 'value'), note: 'as a Buffer' }, nodePop3Whole, mailpop3, poplib, python],
  goals: [],
  prepare: async (quick) => oneMessage(quick ? 2e6 : 10e6, false),
}

function small(name: string, lateMs: number, goals: readonly Goal[]): Workload {
  const count = (quick: boolean): number => (lateMs > 0 ? (quick ? 100 : 200) : quick ? 2000 : 10_000)
  return {
    name,
    unit: 'messages/s',
    amount: count,
    does: `retrieve all messages over one open connection${lateMs > 0 ? ', whose answers come 20 ms late' : ''}, count their octets`,
    subjects: [
      { ...ours('wirepost', 'pop3/wirepost.js', 'all'), note: 'retrieveAll' },
      { ...ours('wirepost, one by one', 'pop3/wirepost.js', 'each'), note: 'retrieve' },
      ...[nodePop3, nodePop3Whole, mailpop3, poplib, python, curl].map(rival),
      { ...rival(mpop), note: `pipelines too; ${mpop.note}` },
      ...(lateMs > 0 ? [] : [listener, onread]),
    ],
    goals,
    prepare: async (quick) => {
      const { maildrop, stop } = await startMaildrop('mails', count(quick), lateMs)
      const { messages, octets, sha256 } = maildrop
      return { args: [JSON.stringify(maildrop)], expected: { messages, octets, sha256 }, stop }
    },
  }
}

export const family: Family = {
  name: 'pop3',
  title: 'POP3: mail on its way in',
  workloads: [
    large('100 MB as a stream', false, [
      { against: 'node-pop3', figure: 'rate', floor: 1.3, goal: 2 },
      { against: 'curl', figure: 'rate', floor: 2.5, goal: 4 },
      { against: '', figure: 'peak', floor: 10, goal: 10 },
    ]),
    large('100 MB as a stream, TLS', true, []),
    value,
    small('10,000 x 2 KB, pipelined', 0, [{ against: BEST, figure: 'rate', floor: 5, goal: 7 }]),
    small('2 KB at 20 ms, pipelined', LATE_MS, [{ against: BEST, figure: 'rate', floor: 15, goal: 22 }]),
  ],
}
