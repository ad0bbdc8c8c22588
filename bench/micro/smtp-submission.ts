import { SmtpClient } from '../../src/smtp/client.ts'
import { textOf, PROSE } from './support/inputs.ts'
import type { Micro, Prepared } from './support/micro.ts'
import { AnsweringTransport } from './support/transport.ts'

const COUNT = 20
const ENVELOPE = { from: 'a@x.test', to: ['b@x.test', 'c@y.test'] }
const CONTENT = Buffer.concat([Buffer.from('Subject: bench\r\nFrom: a@x.test\r\nTo: b@x.test\r\n\r\n'), textOf(...PROSE).subarray(0, 1990)])

/** A server that takes everything, a message in the same write as its envelope included. */
function answering(): (octets: Buffer) => readonly Buffer[] {
  let isContent = false
  const answer = (text: string): string => {
    if (isContent) {
      isContent = !text.endsWith('\r\n.\r\n')
      return isContent ? '' : '250 2.0.0 queued as 4711\r\n'
    }
    if (text.startsWith('EHLO')) return '250-mx.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n'
    let replies = ''
    for (const line of text.split('\r\n')) {
      if (line.startsWith('MAIL') || line.startsWith('RCPT')) replies += '250 2.1.0 ok\r\n'
      else if (line === 'DATA') {
        replies += '354 go ahead\r\n'
        isContent = true
      }
    }
    return replies
  }
  return (octets) => {
    const replies = answer(octets.toString('latin1'))
    return replies === '' ? [] : [Buffer.from(replies)]
  }
}

export const micros: readonly Micro[] = [
  {
    name: 'SMTP submission of 2 KB over a transport in memory',
    hot: true,
    warmMs: 500,
    unit: 'messages',
    async prepare(): Promise<Prepared> {
      const transport = new AnsweringTransport('220 mx.test ESMTP\r\n', answering())
      const client = await SmtpClient.over(transport, { host: 'memory.test', security: 'none', clientName: 'c.test' })
      return {
        amount: COUNT,
        async run() {
          let accepted = 0
          for (let left = COUNT; left > 0; left--) if ((await client.submit(ENVELOPE, CONTENT)).outcome === 'accepted') accepted++
          return accepted
        },
        stop: () => transport.destroy(),
      }
    },
  },
]
