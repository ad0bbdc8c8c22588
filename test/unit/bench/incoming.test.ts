import { expect, test } from 'vitest'
import { Incoming } from '../../../bench/smtp/incoming.ts'
import { everySplit } from '../../support/every-split.ts'

const ENVELOPE = 'MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n'

function received(chunks: Iterable<Buffer>): { contents: string[]; statuses: string[] } {
  const contents: string[] = []
  const incoming = new Incoming(
    (view) => Buffer.from(view),
    (content) => contents.push(Buffer.concat(content).toString('latin1')),
  )
  let replies = ''
  for (const chunk of chunks) replies += incoming.receive(chunk)
  return { contents, statuses: replies.split('\r\n').flatMap((line) => (line[3] === ' ' ? [line.slice(0, 3)] : [])) }
}

test.each([
  ['no content', '.\r\n', ''],
  ['lines', 'one\r\ntwo\r\n.\r\n', 'one\r\ntwo\r\n'],
  ['doubled dots, also in the first line', '..one\r\n..\r\n...\r\n.\r\n', '.one\r\n.\r\n..\r\n'],
  ['what only looks like the end', 'a\n.\nb\r.\rc\r\n.d\r\n.\re\r\n.\r\n', 'a\n.\nb\r.\rc\r\nd\r\n\re\r\n'],
])('the sink takes content by DATA: %s, however it is chunked', (_name, wire, content) => {
  const whole = `EHLO x\r\n${ENVELOPE}DATA\r\n${wire}${ENVELOPE}DATA\r\n${wire}QUIT\r\n`
  for (const chunks of everySplit(whole)) {
    expect(received(chunks)).toEqual({
      contents: [content, content],
      statuses: ['250', '250', '250', '354', '250', '250', '250', '354', '250', '221'],
    })
  }
})

test('the sink counts BDAT, and forgets a transaction with RSET', () => {
  const wire = `${ENVELOPE}BDAT 3\r\nabcRSET\r\n${ENVELOPE}BDAT 2\r\n\r\nBDAT 5\r\n\r\n.\r\nBDAT 0 LAST\r\n${ENVELOPE}BDAT 1 LAST\r\nxNOOP\r\n`
  for (const chunks of everySplit(wire)) expect(received(chunks).contents).toEqual(['\r\n\r\n.\r\n', 'x'])
})
