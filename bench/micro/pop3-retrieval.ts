import { Pop3Client } from '../../src/pop3/client.ts'
import { DotStuffer } from '../../src/wire/dots.ts'
import { CHUNK, chunksOf, messages, textOf } from './support/inputs.ts'
import type { Micro, Prepared } from './support/micro.ts'
import { AnsweringTransport } from './support/transport.ts'

const COUNT = 50
const OPTIONS = { host: 'memory.test', security: 'none', allowClearTextAuth: true, auth: { user: 'u', password: 'p', mechanism: 'USER' } } as const

const OK = Buffer.from('+OK\r\n')
const CAPABILITIES = Buffer.from('+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n')

async function connected(contents: readonly Buffer[]): Promise<{ client: Pop3Client; stop: () => void }> {
  const wires = contents.map((content) => {
    const stuffer = new DotStuffer()
    return Buffer.concat([OK, ...stuffer.push(content), stuffer.end()])
  })
  const transport = new AnsweringTransport('+OK ready\r\n', (octets) => {
    const answers = octets
      .toString('latin1')
      .split('\r\n')
      .flatMap((line) => {
        if (line.startsWith('CAPA')) return [CAPABILITIES]
        if (line.startsWith('RETR ')) return [wires[(Number(line.slice(5)) - 1) % wires.length] ?? OK]
        return line === '' ? [] : [OK]
      })
    return chunksOf(answers.length === 1 ? (answers[0] ?? OK) : Buffer.concat(answers), CHUNK)
  })
  const client = await Pop3Client.over(transport, OPTIONS)
  return { client, stop: () => transport.destroy() }
}

async function lengthOf(chunks: AsyncIterable<Buffer>): Promise<number> {
  let length = 0
  for await (const chunk of chunks) length += chunk.length
  return length
}

export const micros: readonly Micro[] = [
  {
    name: 'POP3 retrieval of small messages over a transport in memory',
    hot: true,
    warmMs: 200,
    unit: 'messages',
    async prepare(): Promise<Prepared> {
      const { client, stop } = await connected(messages())
      const numbers = Array.from({ length: COUNT }, (_, at) => at + 1)
      return {
        amount: COUNT,
        async run() {
          let length = 0
          for await (const message of client.retrieveAll(numbers)) length += await lengthOf(message.views())
          return length
        },
        stop,
      }
    },
  },
  {
    name: 'POP3 retrieval of 1 MiB over a transport in memory',
    unit: 'MB',
    plainly: 'chunks that the caller may keep',
    async prepare(): Promise<Prepared> {
      const content = textOf('a line as it stands in a message, of sixty-four columns or so...')
      const { client, stop } = await connected([content])
      return { amount: content.length, run: () => lengthOf(client.retrieve(1).views()), plain: () => lengthOf(client.retrieve(1)), stop }
    },
  },
]
