import { expect, test } from 'vitest'
import { LineSplitter } from '../../../src/wire/lines.ts'
import { ReplyParser, type Reply } from '../../../src/smtp/reply.ts'
import { everySplit } from '../../support/every-split.ts'

function readReplies(chunks: readonly Buffer[]): Reply[] {
  const splitter = new LineSplitter(8192)
  const parser = new ReplyParser(splitter)
  const replies: Reply[] = []
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply)
    chunk.fill(0xaa) // borrowed
  }
  expect(parser.unread).toBe(0)
  return replies
}

test.each([
  ['one line', '220 mx\r\n', [{ status: 220, enhancedStatus: null, lines: ['mx'] }]],
  ['several lines', '250-mx\r\n250 SIZE 9\r\n', [{ status: 250, enhancedStatus: null, lines: ['mx', 'SIZE 9'] }]],
  ['bare LF (H9)', '250-mx\n250 x\n', [{ status: 250, enhancedStatus: null, lines: ['mx', 'x'] }]],
  [
    'several replies (H15)',
    '250 2.1.0 a\r\n550-5.1.1 b\r\n550 c\r\n354\r\n',
    [
      { status: 250, enhancedStatus: '2.1.0', lines: ['2.1.0 a'] },
      { status: 550, enhancedStatus: '5.1.1', lines: ['5.1.1 b', 'c'] },
      { status: 354, enhancedStatus: null, lines: [''] },
    ],
  ],
])('reads %s, however it is chunked (H2)', (_name, wire, replies) => {
  for (const chunks of everySplit(wire)) expect(readReplies(chunks)).toEqual(replies)
})

test.each([
  ['a status that changes', '250-a\r\n550 b\r\n', false],
  ['an empty line', '\r\n', false],
  ['257 lines', '250-x\r\n'.repeat(257), true],
  ['a line of more than 8 KiB', `250 ${'x'.repeat(8192)}\r\n`, true],
  ['a line that does not end', `250 ${'x'.repeat(9000)}`, true],
  ['more than 64 KiB', `250-${'x'.repeat(8000)}\r\n`.repeat(9), true],
])('refuses %s, however it is chunked (S16)', (_name, wire, limit) => {
  const octets = Buffer.from(wire)
  for (const chunks of [[octets], Array.from({ length: Math.ceil(octets.length / 1000) }, (_, at) => octets.subarray(at * 1000, at * 1000 + 1000))]) {
    const splitter = new LineSplitter(8192)
    const parser = new ReplyParser(splitter)
    const read = (): void => {
      for (const chunk of chunks) {
        splitter.push(Buffer.from(chunk))
        while (parser.next() !== undefined);
      }
    }
    expect(read).toThrow(expect.objectContaining({ name: 'GrammarError', limit }))
  }
})

test('what was not used up is counted, parts of lines and of replies too (T5)', () => {
  const splitter = new LineSplitter(8192)
  const parser = new ReplyParser(splitter)
  for (const [octets, unread] of [
    ['2', 1],
    ['20 go\r\n', 0],
    ['250-a\r\n', 5],
    ['250 b\r\n220 x\r\n', 7],
  ] as const) {
    splitter.push(Buffer.from(octets))
    parser.next()
    expect(parser.unread > 0).toBe(unread > 0)
  }
})
