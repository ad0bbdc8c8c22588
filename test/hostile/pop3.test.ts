import { expect, test } from 'vitest'
import { MailError } from '../../src/errors.ts'
import * as command from '../../src/pop3/command.ts'
import { Pop3Session } from '../../src/pop3/session.ts'

const SEED = Number(process.env['WIREPOST_SEED'] ?? 20_261_122)
const ROUNDS = 2_000
/** What hostile answers are made of. */
const PIECES = [
  '+OK',
  '-ERR',
  ' ',
  '\r\n',
  '\n',
  '\r',
  '.',
  '..',
  '1 5',
  '2 6',
  '1 6',
  '1 a',
  '[AUTH]',
  '\0',
  '\xff',
  '+',
  'x'.repeat(300),
  '.\r\n',
  '\r\n.\r\n',
  '+OK\r\n',
]
const ASKED = [
  command.stat,
  command.list,
  command.uidl,
  command.noop,
  command.capa,
  () => command.retr(1),
  () => command.top(1, 0),
  () => command.dele(1),
  () => command.uniqueId(1),
  command.languages,
  () => command.top(1, 2, 'RETR'),
]

/** Mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

test(`whatever a server says is an event or a MailError, and none without end (seed ${SEED})`, () => {
  const pick = random(SEED)
  for (let round = 0; round < ROUNDS; round++) {
    const session = new Pop3Session()
    session.receive(Buffer.from('+OK\r\n'))
    session.next()
    let events = 0
    let octets = 0
    try {
      for (const asked of [command.auth('PLAIN', null, 'p'), command.authResponse(Buffer.from('p'), 'p', true)]) session.send([asked])
      session.receive(Buffer.from('+OK\r\n+OK\r\n'))
      while (session.next() !== undefined);
      for (let step = 0; step < 40; step++) {
        if (pick(3) === 0) session.send([(ASKED[pick(ASKED.length)] ?? command.noop)()])
        const chunk = Buffer.from(Array.from({ length: pick(4) }, () => PIECES[pick(PIECES.length)]).join(''), 'latin1')
        octets += chunk.length
        session.receive(chunk)
        while (session.next() !== undefined) events++
      }
      session.end()
      while (session.next() !== undefined) events++
    } catch (error) {
      expect(error).toBeInstanceOf(MailError)
    }
    expect(events).toBeLessThanOrEqual(octets + 1)
  }
})
