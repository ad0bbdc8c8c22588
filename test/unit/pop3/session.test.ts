import { expect, test } from 'vitest'
import { MailError } from '../../../src/errors.ts'
import { ContentBody } from '../../../src/pop3/body.ts'
import * as command from '../../../src/pop3/command.ts'
import type { Command } from '../../../src/pop3/command.ts'
import { Pop3Session } from '../../../src/pop3/session.ts'
import { everySplit } from '../../support/every-split.ts'

const GREETING = '+OK ready\r\n'
const LOGIN: readonly Command[] = [command.user('u'), command.pass('p')]

/** A session after its login. */
function inTransaction(observe?: (line: () => string) => void): Pop3Session {
  const session = new Pop3Session(observe)
  session.receive(Buffer.from(GREETING))
  session.next()
  for (const asked of LOGIN) {
    session.send([asked])
    session.receive(Buffer.from('+OK\r\n'))
    session.next()
  }
  return session
}

/** What the answers to `asked`, pipelined, come to: content joined, entries in one list, an error as its code. */
function outcome(session: Pop3Session, asked: readonly Command[], chunks: readonly Buffer[]): unknown[] {
  const seen: unknown[] = []
  let parts: unknown[] = []
  const take = (): void => {
    for (let event = session.next(); event !== undefined; event = session.next()) {
      if (event.type === 'reply') seen.push(`${event.command.verb} ${event.reply.ok ? '+' : '-'} ${event.reply.text}`)
      else {
        const content = event.body instanceof ContentBody
        parts.push(...event.body.take(true).map((part) => (Buffer.isBuffer(part) ? part.toString('latin1') : part)))
        if (event.last) seen.push(content ? parts.join('') : parts)
        if (event.last) parts = []
      }
    }
  }
  try {
    for (const one of asked) session.send([one])
    for (const chunk of chunks) {
      const lent = Buffer.from(chunk)
      session.receive(lent)
      take()
      lent.fill(0xaa)
    }
    if (parts.length > 0) seen.push({ unfinished: parts.every((part) => typeof part === 'string') ? parts.join('') : parts })
    return seen
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    if (parts.length > 0) seen.push({ unfinished: parts.every((part) => typeof part === 'string') ? parts.join('') : parts })
    return [...seen, error.code]
  }
}

test.each<[string, () => readonly Command[], string, unknown[]]>([
  ['a line', () => [command.noop()], '+OK\r\n', ['NOOP + ']],
  ['H9: bare LF', () => [command.noop(), command.rset()], '+OK a\n+OK b\n', ['NOOP + a', 'RSET + b']],
  ['H14: blank lines before a status line', () => [command.dele(1)], '\r\n\n\r\n+OK gone\r\n', ['DELE + gone']],
  ['H14: too many blank lines', () => [command.dele(1)], '\r\n\r\n\r\n\r\n\r\n+OK\r\n', ['ERR_PROTOCOL']],
  ['H36: a wrong status indicator', () => [command.dele(1)], '+ok\r\n', ['ERR_PROTOCOL']],
  ['P1: CR CR LF', () => [command.dele(1)], '+OK\r\r\n', ['ERR_PROTOCOL']],
  ['content', () => [command.retr(1)], '+OK 5 octets\r\nA: b\r\n\r\nc\r\n.\r\n', ['RETR + 5 octets', 'A: b\r\n\r\nc\r\n']],
  ['empty content', () => [command.retr(1)], '+OK\r\n.\r\n', ['RETR + ', '']],
  [
    'P9, H51: dots',
    () => [command.retr(1)],
    '+OK\r\n..\r\n...x\r\n. \r\n.\r\r\n-ERR\r\n+OK\r\n.\r\n',
    ['RETR + ', '.\r\n..x\r\n \r\n\r\r\n-ERR\r\n+OK\r\n'],
  ],
  ['P9: a dot with bare LF', () => [command.retr(1)], '+OK\na\n.\n', ['RETR + ', 'a\n']],
  ['a refused RETR has no content', () => [command.retr(1), command.noop()], '-ERR gone\r\n+OK\r\n', ['RETR - gone', 'NOOP + ']],
  [
    'H15, H50: pipelined answers, one refused',
    () => [command.stat(), command.list(), command.retr(1), command.retr(2), command.uidl(), command.dele(1)],
    '+OK 2 9\r\n+OK\r\n1 4\r\n2 5\r\n.\r\n+OK\r\nx\r\n.\r\n-ERR no\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n',
    [
      'STAT + 2 9',
      'LIST + ',
      [
        { number: 1, octets: 4 },
        { number: 2, octets: 5 },
      ],
      'RETR + ',
      'x\r\n',
      'RETR - no',
      'UIDL + ',
      [{ number: 1, uniqueId: 'a' }],
      'DELE + ',
    ],
  ],
  ['an empty listing', () => [command.list()], '+OK\r\n.\r\n', ['LIST + ', []]],
  [
    'H53: gaps, disorder, lines that are none, the same line twice',
    () => [command.list()],
    '+OK\r\n7 70\r\n3 30 x\r\nfoo\r\n\r\n0 1\r\n007 70\r\n7 70\r\n-1 4\r\n.\r\n',
    [
      'LIST + ',
      [
        { number: 7, octets: 70 },
        { number: 3, octets: 30 },
      ],
    ],
  ],
  [
    'P3, H53: another value under the same number',
    () => [command.list()],
    '+OK\r\n1 5\r\n2 5\r\n1 6\r\n.\r\n',
    [
      'LIST + ',
      {
        unfinished: [
          { number: 1, octets: 5 },
          { number: 2, octets: 5 },
        ],
      },
      'ERR_PROTOCOL',
    ],
  ],
  [
    'H53: another unique-id under the same number',
    () => [command.uidl()],
    '+OK\r\n1 a\r\n1 b\r\n.\r\n',
    ['UIDL + ', { unfinished: [{ number: 1, uniqueId: 'a' }] }, 'ERR_PROTOCOL'],
  ],
  [
    'P5: one unique-id twice is allowed',
    () => [command.uidl()],
    '+OK\r\n1 a\r\n2 a\r\n3 \r\n.\r\n',
    [
      'UIDL + ',
      [
        { number: 1, uniqueId: 'a' },
        { number: 2, uniqueId: 'a' },
        { number: 3, uniqueId: '' },
      ],
    ],
  ],
  ['P5: a unique-id past its limit', () => [command.uidl()], `+OK\r\n1 ${'x'.repeat(300)}\r\n.\r\n`, ['UIDL + ', 'ERR_LIMIT']],
  [
    'capabilities',
    () => [command.capa()],
    '+OK\r\nTOP\r\nSASL PLAIN\r\n..odd\r\n.\r\n',
    [
      'CAPA + ',
      [
        ['TOP', []],
        ['SASL', ['PLAIN']],
        ['.ODD', []],
      ],
    ],
  ],
  ['a garbage answer among good ones', () => [command.noop(), command.rset(), command.noop()], '+OK\r\nwhat\r\n+OK\r\n', ['NOOP + ', 'ERR_PROTOCOL']],
])('reads %s, however it is chunked', (_name, asked, wire, expected) => {
  for (const chunks of everySplit(wire)) expect(outcome(inTransaction(), asked(), chunks)).toEqual(expected)
})

test('S17, H4, H16: octets that nobody asked for end the session at the next command', () => {
  const session = inTransaction()
  expect(outcome(session, [command.dele(1)], [Buffer.from('+OK first\r\n+OK second\r\n')])).toEqual(['DELE + first', 'ERR_PROTOCOL'])
  expect(() => session.send([command.noop()])).toThrow(expect.objectContaining({ code: 'ERR_PROTOCOL', reusable: false }))
})

test('an empty line at a quiet point is forgiven', () => {
  const session = inTransaction()
  expect(outcome(session, [command.dele(1)], [Buffer.from('+OK first\r\n\r\n')])).toEqual(['DELE + first'])
  expect(outcome(session, [command.noop()], [Buffer.from('+OK\r\n')])).toEqual(['NOOP + '])
})

test('P9, H52: octets behind the final dot mean that the content may be cut, so it does not end well', () => {
  expect(outcome(inTransaction(), [command.retr(1)], [Buffer.from('+OK\r\na\r\n.\r\nrest of the message\r\n.\r\n')])).toEqual([
    'RETR + ',
    { unfinished: 'a\r\n' },
    'ERR_PROTOCOL',
  ])
})

test('H49: the end of the connection is never the end of content', () => {
  for (const wire of ['', '+OK', '+OK\r\n', '+OK\r\na\r\n', '+OK\r\na\r\n.', '+OK\r\na\r\n.\r']) {
    const session = inTransaction()
    session.send([command.retr(1)])
    session.receive(Buffer.from(wire))
    session.end()
    expect(() => {
      while (session.next() !== undefined);
    }).toThrow(expect.objectContaining({ code: 'ERR_CLOSED', phase: 'retr', transient: true }))
  }
})

test('H7: an endless line is cut at its limit', () => {
  const session = inTransaction()
  session.send([command.noop()])
  expect(() => {
    for (let octets = 0; octets <= 9_000; octets += 100) {
      session.receive(Buffer.alloc(100, 'x'))
      session.next()
    }
  }).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
})

/** `+OK` and so many lines. */
function lines(count: number, line: (n: number) => string): Buffer {
  return Buffer.from(`+OK\r\n${Array.from({ length: count }, (_, n) => line(n + 1)).join('\r\n')}\r\n.\r\n`)
}

/** The last of what the answers come to. */
function lastOutcome(asked: readonly Command[], ...chunks: readonly Buffer[]): unknown {
  return outcome(inTransaction(), asked, chunks).at(-1)
}

test('H8: lists are limited: CAPA to 256 lines and 64 KiB, listings to what STAT said and 1,000 more', () => {
  expect(
    lastOutcome(
      [command.capa()],
      lines(256, (n) => `X${n}`),
    ),
  ).toHaveLength(256)
  expect(
    lastOutcome(
      [command.capa()],
      lines(257, (n) => `X${n}`),
    ),
  ).toBe('ERR_LIMIT')
  expect(
    lastOutcome(
      [command.capa()],
      lines(20, (n) => `X${n} ${'y'.repeat(4_000)}`),
    ),
  ).toBe('ERR_LIMIT')
  const stat = Buffer.from('+OK 2 10\r\n')
  expect(
    lastOutcome(
      [command.stat(), command.list()],
      stat,
      lines(1_002, (n) => `${n} 1`),
    ),
  ).toHaveLength(1_002)
  expect(
    lastOutcome(
      [command.stat(), command.list()],
      stat,
      lines(1_003, (n) => `${n} 1`),
    ),
  ).toBe('ERR_LIMIT')
  expect(
    lastOutcome(
      [command.stat(), command.uidl()],
      stat,
      lines(1_003, () => 'no entry'),
    ),
  ).toBe('ERR_LIMIT')
  expect(
    lastOutcome(
      [command.list()],
      lines(3_000, (n) => `${n} 1`),
    ),
  ).toHaveLength(3_000)
})

test('RSET may bring messages back, so what STAT said before no longer limits a listing', () => {
  const session = inTransaction()
  const listing = Array.from({ length: 2_000 }, (_, n) => `${n + 1} 1\r\n`).join('')
  const chunks = ['+OK 0 0\r\n', '+OK\r\n', `+OK\r\n${listing}.\r\n`].map((text) => Buffer.from(text))
  expect(outcome(session, [command.stat(), command.rset(), command.list()], chunks).at(-1)).toHaveLength(2_000)
})

test('commands belong to states', () => {
  const state = expect.objectContaining({ code: 'ERR_SESSION_STATE', reusable: true })
  const session = new Pop3Session()
  session.receive(Buffer.from(GREETING))
  session.next()
  expect(() => session.send([command.stat()])).toThrow(state)
  session.send([command.stls()])
  expect(() => session.send([command.capa()])).toThrow(state) // T6: nothing behind STLS
  const loggedIn = inTransaction()
  expect(() => loggedIn.send([command.user('u')])).toThrow(state)
  expect(() => loggedIn.send([command.stls()])).toThrow(state)
  loggedIn.send([command.quit()])
  expect(() => loggedIn.send([command.noop()])).toThrow(state)
  loggedIn.receive(Buffer.from('+OK bye\r\n'))
  loggedIn.next()
  expect(loggedIn.state).toBe('UPDATE')
  expect(() => loggedIn.send([command.noop()])).toThrow(state)
})

test('a refused PASS leaves the session before the login', () => {
  const session = new Pop3Session()
  session.receive(Buffer.from(GREETING))
  session.next()
  expect(outcome(session, LOGIN, [Buffer.from('+OK\r\n-ERR no\r\n')])).toEqual(['USER + ', 'PASS - no'])
  expect(session.state).toBe('AUTHORIZATION')
})

test('T5: not an octet may follow the +OK to STLS', () => {
  for (const [surplus, fails] of [
    ['', false],
    ['+', true],
    ['\r\n', true],
    ['+OK\r\n', true],
  ] as const) {
    const session = new Pop3Session()
    session.receive(Buffer.from(GREETING))
    session.next()
    session.send([command.stls()])
    session.receive(Buffer.from(`+OK go\r\n${surplus}`))
    session.next()
    const secure = expect(() => session.secure())
    if (fails) secure.toThrow(expect.objectContaining({ code: 'ERR_TLS_INJECTION' }))
    else secure.not.toThrow()
  }
})

test.each([
  [Buffer.of(0x15, 3, 1, 0, 2, 2, 70), /TLS.*port/],
  [Buffer.of(0x16, 3, 1), /TLS.*port/],
  [Buffer.from('220 mx.example ESMTP\r\n'), /SMTP or FTP.*port/],
  [Buffer.from('220-mx.example ESMTP\r\n'), /SMTP or FTP.*port/],
  [Buffer.from('* OK [CAPABILITY IMAP4rev1] ready\r\n'), /IMAP.*port/],
  [Buffer.from('HTTP/1.1 400 Bad Request\r\n'), /web server.*port/],
  [Buffer.from('SSH-2.0-x\r\n'), /SSH.*port/],
  [Buffer.from('hello\r\n'), /neither \+OK nor -ERR/],
  [Buffer.from('+OKAY\r\n'), /neither \+OK nor -ERR/],
])('H6: a greeting of %o is named', (octets, message) => {
  for (const chunks of everySplit(octets)) {
    const session = new Pop3Session()
    expect(() => {
      for (const chunk of chunks) {
        session.receive(chunk)
        session.next()
      }
    }).toThrow(expect.objectContaining({ code: 'ERR_PROTOCOL', phase: 'greeting', message: expect.stringMatching(message) }))
  }
})

test('S24: a password that the server echoes is in no text and no diagnostic', () => {
  const seen: string[] = []
  const session = new Pop3Session((line) => seen.push(line()))
  session.receive(Buffer.from(GREETING))
  session.next()
  session.send([command.pass('hunter2')])
  session.receive(Buffer.from('-ERR unknown command PASS hunter2\r\n'))
  expect(session.next()).toMatchObject({ reply: { text: 'unknown command PASS ***' } })
  expect(seen.join()).not.toContain('hunter2')
})

test('each line but content can be observed', () => {
  const seen: string[] = []
  const session = inTransaction((line) => seen.push(line()))
  outcome(session, [command.list(), command.retr(1)], [Buffer.from('+OK list\r\n1 5\r\njunk\r\n.\r\n+OK 5 octets\r\nsecret\r\n.\r\n')])
  expect(seen).toEqual(['+OK ready', '+OK', '+OK', '+OK list', '1 5', 'junk', '.', '+OK 5 octets'])
})
