// What the sink says of what it was sent.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'

export interface Tally {
  readonly messages: number
  readonly octets: number
  readonly sha256?: string
}

/** What a subject is told about its task, as JSON on its command line. */
export interface Order {
  readonly port: number
  /** Where the sink is asked. */ readonly control: number
  /** PEM; the sink speaks TLS then. */ readonly ca?: string | undefined
  /** The same in a file. */ readonly caFile?: string | undefined
  /** What is attached. */ readonly file: string
  readonly size: number
  /** The message with `file` as its attachment, ready-made. */ readonly ready: string
  readonly messages: number
}

/** Lets the sink forget what it was sent. */
export async function forget({ control }: Order): Promise<void> {
  await ask(control, 'forget')
}

/** What came since. @param part the 'attachment' decoded, the 'text' behind the header section, or the 'whole' content */
export async function tally({ control }: Order, part: 'attachment' | 'text' | 'whole', check: boolean): Promise<Tally> {
  const counted: Tally = JSON.parse(await ask(control, check ? `${part} check` : part))
  return counted
}

async function ask(port: number, question: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('utf8')
  let answer = ''
  socket.on('data', (text: string) => (answer += text))
  socket.end(`${question}\n`)
  await once(socket, 'close')
  return answer
}

const EMPTY_LINE = '\r\n\r\n'

/** What is compared of a message, found without a parser: it knows only what its senders write. */
export function contentOf(message: Buffer, part: string): Buffer {
  if (part === 'whole') return message
  if (part === 'text')
    return Buffer.from(
      message
        .subarray(message.indexOf(EMPTY_LINE) + EMPTY_LINE.length)
        .toString('latin1')
        .trimEnd(),
      'latin1',
    )
  const field = message.lastIndexOf('Content-Disposition: attachment')
  const from = message.indexOf(EMPTY_LINE, field) + EMPTY_LINE.length
  const to = message.indexOf('\r\n--', from)
  return Buffer.from(message.toString('latin1', from, to < 0 ? message.length : to), 'base64')
}

export function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
