import { ReplyParser } from '../../src/smtp/reply.ts'
import { LineSplitter } from '../../src/wire/lines.ts'
import { chunksOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'

const REPLIES = [
  '250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok: queued as 4BFA21C0A3\r\n',
  '250-mx.example.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n',
  '550-5.7.1 The message was refused: see\r\n550 5.7.1 https://example.test/policy\r\n',
].join('')
const COUNT = 200
const LIMIT = 8 * 1024

export const micros: readonly Micro[] = [
  {
    name: 'SMTP replies',
    hot: true,
    unit: 'replies',
    prepare() {
      const chunks = chunksOf(Buffer.from(REPLIES.repeat(COUNT)), 4096)
      return {
        amount: 6 * COUNT,
        run() {
          const splitter = new LineSplitter(LIMIT)
          const parser = new ReplyParser(splitter)
          let replies = 0
          for (const chunk of chunks) {
            splitter.push(chunk)
            while (parser.next() !== undefined) replies++
          }
          return replies
        },
      }
    },
  },
]
