import { createHash } from 'node:crypto'
import { ours, peer, type Family, type Goal, type Subject, type Workload } from '../family.ts'
import { startMaildrop } from '../pop3/order.ts'
import { needs } from '../programs.ts'
import { attachmentFiles } from '../smtp/inputs.ts'
import { startSink } from '../smtp/start-sink.ts'
import { expectedSummaries } from './summary.ts'

const PEER = 'node-pop3 into mailparser'
const LARGE = 'fetch, parse and decode 100 MB'
const MEMORY = { floor: 40, goal: 16 }
const FLAT = { floor: 8, goal: 4 }

const peers = (what: string): Subject[] => [
  { ...peer(`${PEER} (defaults)`, 'fetch.mjs', [what, 'defaults']) },
  { ...peer(`${PEER} (fastest)`, 'fetch.mjs', [what, 'fastest']), note: 'no conversions of HTML and text, no checksums' },
]
const curl: Subject = { ...peer('curl, only downloading', 'curl-fetch.mjs', ['nothing']), kind: 'limit', missing: needs('curl') }

const large: Workload = {
  name: LARGE,
  unit: 'MB/s',
  amount: (quick) => (quick ? 10e6 : 100e6),
  does: 'retrieve one message, find its attachment, decode base64, count octets of the message',
  subjects: [{ ...ours('wirepost', 'path/fetch.js', 'attachment'), note: 'readMessage(retrieve().views())' }, ...peers('attachment'), curl],
  goals: [{ against: PEER, figure: 'rate', floor: 5, goal: 6.5 }],
  prepare: async (quick) => {
    const { maildrop, stop } = await startMaildrop('attachment', quick ? 10e6 : 100e6)
    return { args: [JSON.stringify(maildrop)], expected: { messages: 1, ...maildrop.attached }, amount: maildrop.octets, stop }
  },
}

const smallCount = (quick: boolean): number => (quick ? 2000 : 10_000)

const small: Workload = {
  name: 'fetch, parse and decode 10,000 x 2 KB',
  unit: 'messages/s',
  amount: smallCount,
  does: 'retrieve all messages over one open connection; subject, sender and date of each, and its text as a string',
  subjects: [{ ...ours('wirepost', 'path/fetch.js', 'mails'), note: 'retrieveAll, parseMessage' }, ...peers('mails'), curl],
  goals: [{ against: PEER, figure: 'rate', floor: 15, goal: 25 }],
  prepare: async (quick) => {
    const { maildrop, stop } = await startMaildrop('mails', smallCount(quick))
    const hash = createHash('sha256')
    for (const summary of expectedSummaries(smallCount(quick))) hash.update(summary)
    return { args: [JSON.stringify(maildrop)], expected: { messages: maildrop.messages, sha256: hash.digest('hex') }, stop }
  },
}

function send(size: string, bytes: number, goals: readonly Goal[]): Workload {
  return {
    name: `connector sends ${size}`,
    unit: 'MB/s',
    amount: () => bytes,
    does: 'MailConnector.send of a file as an attachment, TLS, with its connection; octets of the file',
    subjects: [
      { ...ours('wirepost', 'path/connector.js', 'send'), note: "state 'memory'" },
      peer('nodemailer (defaults)', 'nodemailer.mjs', ['file', 'defaults']),
    ],
    goals,
    prepare: async () => {
      const { octets, sha256, ...files } = attachmentFiles(bytes)
      const { order, stop } = await startSink({ ...files, size: octets, messages: 1 }, true)
      return { args: [JSON.stringify(order)], expected: { messages: 1, octets, sha256 }, amount: octets, stop }
    },
  }
}

function get(size: string, bytes: number, goals: readonly Goal[]): Workload {
  return {
    name: `connector gets ${size}`,
    unit: 'MB/s',
    amount: () => bytes,
    does: 'MailConnector.get of an attachment, TLS, with its connection; octets of the attachment',
    subjects: [{ ...ours('wirepost', 'path/connector.js', 'get'), note: "state 'memory'" }],
    goals,
    prepare: async () => {
      const { maildrop, stop } = await startMaildrop('attachment', bytes, 0, true)
      return { args: [JSON.stringify(maildrop)], expected: { messages: 1, ...maildrop.attached }, amount: maildrop.attached?.octets, stop }
    },
  }
}

export const family: Family = {
  name: 'path',
  title: 'The whole way: from a mailbox to documents and back',
  workloads: [
    large,
    small,
    send('25 MB', 25e6, [{ against: '', figure: 'peak', ...MEMORY }]),
    send('200 MB', 200e6, [
      { against: '', figure: 'peak', ...MEMORY },
      { against: 'connector sends 25 MB', figure: 'flat', ...FLAT },
    ]),
    get('25 MB', 25e6, [{ against: '', figure: 'peak', ...MEMORY }]),
    get('200 MB', 200e6, [
      { against: '', figure: 'peak', ...MEMORY },
      { against: 'connector gets 25 MB', figure: 'flat', ...FLAT },
    ]),
  ],
}
