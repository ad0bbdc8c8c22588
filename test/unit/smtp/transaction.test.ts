import { describe, expect, test } from 'vitest'
import { checkSubmission, type SubmitOptions, type Terms } from '../../../src/smtp/envelope.ts'
import type { Reply } from '../../../src/smtp/reply.ts'
import { Transaction } from '../../../src/smtp/transaction.ts'

const reply = (status: number): Reply => ({ status, enhancedStatus: null, lines: [`text of ${status}`] })

interface Given {
  readonly to?: readonly string[]
  readonly partial?: SubmitOptions['partial']
  readonly pipelining?: Terms['pipelining']
  readonly chunking?: boolean
}

function transaction({ to = ['b@x.test', 'c@x.test'], partial = 'deliver', pipelining = 'envelope', chunking = false }: Given = {}): Transaction {
  const extensions = new Map([
    ['PIPELINING', ''],
    ['CHUNKING', ''],
  ])
  return new Transaction(
    checkSubmission({ from: '', to, options: { partial } }, Buffer.from('x\r\n'), { extensions, isSecure: false, chunking, pipelining }),
  )
}

const phases = (one: Transaction): string[] => one.next().map(({ phase }) => phase)

/** Gives replies to MAIL, RCPT, RCPT and DATA, as many as there are. */
function answered(one: Transaction, statuses: readonly number[]): Transaction {
  while (one.next().length > 0);
  const steps = one.asked.commands.map(({ phase }) => phase)
  for (const [at, status] of statuses.entries()) one.take(steps[at] ?? 'content', reply(status))
  return one
}

const outcomesOf = (one: Transaction): string[] => {
  const { outcome, recipients } = one.receipt()
  return [outcome, ...recipients.map((recipient) => recipient.outcome)]
}

describe('which commands leave together', () => {
  test.each<[Given, string[][]]>([
    [{}, [['mail', 'rcpt', 'rcpt', 'data']]],
    [{ partial: 'refuse' }, [['mail', 'rcpt', 'rcpt'], ['data']]],
    [{ chunking: true }, [['mail', 'rcpt', 'rcpt']]],
    [{ chunking: true, partial: 'refuse' }, [['mail', 'rcpt', 'rcpt']]],
    [{ pipelining: 'none' }, [['mail'], ['rcpt'], ['rcpt'], ['data']]],
    [{ pipelining: 'none', chunking: true }, [['mail'], ['rcpt'], ['rcpt']]],
  ])('%j', (given, groups) => {
    const one = transaction(given)
    for (const group of groups) {
      expect(phases(one)).toEqual(group)
      for (const phase of group) one.take(phase === 'mail' ? 'mail' : phase === 'rcpt' ? 'rcpt' : 'data', reply(phase === 'data' ? 354 : 250))
    }
    expect(phases(one)).toEqual([])
    expect(one.verdict).toBe('content')
  })

  test('nothing follows MAIL that is refused, a shutdown, or recipients of whom not one, or not all, are accepted', () => {
    const refused = transaction({ pipelining: 'none' })
    refused.next()
    refused.take('mail', reply(550))
    expect(phases(refused)).toEqual([])
    const shut = transaction({ pipelining: 'none' })
    shut.next()
    shut.take('mail', reply(421))
    expect(phases(shut)).toEqual([])
    const strict = transaction({ partial: 'refuse' })
    strict.next()
    for (const [step, status] of [
      ['mail', 250],
      ['rcpt', 250],
      ['rcpt', 450],
    ] as const)
      strict.take(step, reply(status))
    expect(phases(strict)).toEqual([])
    expect([strict.verdict, strict.isDirty]).toEqual(['settled', true])
    expect(outcomesOf(strict)).toEqual(['deferred', 'deferred', 'deferred'])
  })

  test('groups of at most 32 KiB, each after the replies to the one before', () => {
    const one = transaction({ to: Array.from({ length: 5_000 }, (_, at) => `r${at}@x.test`) })
    let rcpts = 0
    let groups = 0
    for (let group = one.next(); group.length > 0; group = one.next()) {
      groups++
      expect(group.reduce((sum, { octets }) => sum + octets.length, 0)).toBeLessThanOrEqual(32 * 1024)
      for (const { phase } of group) {
        one.take(phase === 'mail' ? 'mail' : phase === 'rcpt' ? 'rcpt' : 'data', reply(phase === 'data' ? 354 : 250))
        if (phase === 'rcpt') rcpts++
      }
    }
    expect([rcpts, groups > 3, one.verdict]).toEqual([5_000, true, 'content'])
  })
})

describe('what replies mean, by DATA', () => {
  test.each<[Given, statuses: number[], verdict: string, outcomes: string[] | null, isDirty: boolean]>([
    [{}, [250, 250, 250, 354], 'content', null, true],
    [{}, [250, 250, 550, 354], 'content', null, true],
    [{}, [250, 251, 252, 354], 'content', null, true],
    [{}, [250, 550, 450, 354], 'end', ['deferred', 'refused', 'deferred'], true],
    [{}, [250, 550, 550, 354], 'end', ['refused', 'refused', 'refused'], true],
    [{}, [250, 550, 550, 503], 'settled', ['refused', 'refused', 'refused'], true],
    [{}, [250, 550, 552, 554], 'settled', ['deferred', 'refused', 'deferred'], true],
    [{}, [250, 250, 250, 451], 'settled', ['deferred', 'deferred', 'deferred'], true],
    [{}, [250, 250, 250, 554], 'settled', ['refused', 'refused', 'refused'], true],
    [{}, [250, 250, 250, 503], 'settled', ['deferred', 'deferred', 'deferred'], true],
    [{}, [550, 503, 503, 503], 'settled', ['refused', 'refused', 'refused'], false],
    [{}, [451, 503, 503, 503], 'settled', ['deferred', 'deferred', 'deferred'], false],
    [{}, [550, 250, 250, 354], 'end', ['refused', 'refused', 'refused'], true],
    [{}, [421], 'end', ['deferred', 'deferred', 'deferred'], false],
    [{}, [250, 250, 421], 'end', ['deferred', 'deferred', 'deferred'], true],
    [{}, [250, 250, 250, 421], 'end', ['deferred', 'deferred', 'deferred'], true],
    [{ partial: 'refuse' }, [250, 250, 250, 354], 'content', null, true],
    [{ partial: 'refuse' }, [250, 250, 550], 'settled', ['refused', 'deferred', 'refused'], true],
    [{ partial: 'refuse' }, [250, 450, 550], 'settled', ['refused', 'deferred', 'refused'], true],
  ])('%j %j', (given, statuses, verdict, outcomes, isDirty) => {
    const one = answered(transaction(given), statuses)
    expect(one.verdict).toBe(verdict)
    if (outcomes !== null) expect(outcomesOf(one)).toEqual(outcomes) // otherwise the content is yet to decide
    expect(one.isDirty).toBe(isDirty)
    expect(one.isBegun).toBe((statuses[0] ?? 0) < 300)
  })

  test.each<[final: number | undefined, statuses: number[], outcomes: string[], isDirty: boolean]>([
    [250, [250, 250, 250, 354], ['accepted', 'accepted', 'accepted'], false],
    [250, [250, 250, 550, 354], ['partial', 'accepted', 'refused'], false],
    [250, [250, 450, 250, 354], ['partial', 'deferred', 'accepted'], false],
    [554, [250, 250, 450, 354], ['deferred', 'refused', 'deferred'], false],
    [554, [250, 250, 550, 354], ['refused', 'refused', 'refused'], false],
    [451, [250, 250, 550, 354], ['deferred', 'deferred', 'refused'], false],
    [undefined, [250, 250, 550, 354], ['unknown', 'unknown', 'refused'], false],
    [undefined, [250, 250, 250, 354], ['unknown', 'unknown', 'unknown'], false],
  ])('the final reply %s behind %j', (final, statuses, outcomes, isDirty) => {
    const one = answered(transaction(), statuses)
    one.isOut = true
    if (final !== undefined) one.take('content', reply(final))
    expect(outcomesOf(one)).toEqual(outcomes)
    expect(one.isDirty).toBe(isDirty)
  })

  test('neither 354 nor a refusal to DATA is not understood (RFC 5321 §4.3.2)', () => {
    expect(() => answered(transaction(), [250, 250, 250, 250]).verdict).toThrow(expect.objectContaining({ code: 'ERR_PROTOCOL', phase: 'data' }))
  })
})

describe('what replies mean, by BDAT', () => {
  test.each<[statuses: number[], chunks: number[], last: number | undefined, outcomes: string[], isDirty: boolean]>([
    [[250, 250, 250], [], 250, ['accepted', 'accepted', 'accepted'], false],
    [[250, 250, 250], [250, 250], 250, ['accepted', 'accepted', 'accepted'], false],
    [[250, 250, 550], [250], 250, ['partial', 'accepted', 'refused'], false],
    [[250, 250, 250], [], 552, ['refused', 'refused', 'refused'], true],
    [[250, 250, 250], [452], 503, ['deferred', 'deferred', 'deferred'], true],
    [[250, 250, 250], [552], 503, ['refused', 'refused', 'refused'], true],
    // Who refuses a part, or the envelope, and takes the whole: nobody knows what it does with it.
    [[250, 250, 250], [552], 250, ['unknown', 'unknown', 'unknown'], false],
    [[550, 250, 250], [], 250, ['unknown', 'unknown', 'unknown'], true],
    [[250, 250, 250], [250], undefined, ['unknown', 'unknown', 'unknown'], false],
    [[250, 550, 550], [], 503, ['refused', 'refused', 'refused'], true],
    [[250, 550, 450], [], 554, ['deferred', 'refused', 'deferred'], true],
    [[550, 503, 503], [], 503, ['refused', 'refused', 'refused'], false],
    [[451, 503, 503], [], 503, ['deferred', 'deferred', 'deferred'], false],
  ])('%j, chunks %j, LAST %s', (statuses, chunks, last, outcomes, isDirty) => {
    const one = answered(transaction({ chunking: true, pipelining: 'transaction' }), statuses)
    one.isOut = true
    for (const status of chunks) one.take('chunk', reply(status))
    if (last !== undefined) one.take('content', reply(last))
    expect(outcomesOf(one)).toEqual(outcomes)
    expect(one.isDirty).toBe(isDirty)
  })
})

test('RSET that is refused ends the connection, and says so', () => {
  const one = transaction()
  expect(() => one.take('rset', reply(250))).not.toThrow()
  expect(() => one.take('rset', reply(500))).toThrow(expect.objectContaining({ code: 'ERR_SMTP_REPLY', phase: 'rset', status: 500 }))
})

test.each<[statuses: number[], isDecided: boolean]>([
  [[], false],
  [[250], false],
  [[550], true],
  [[421], true],
  [[250, 250], false],
  [[250, 550], false],
  [[250, 550, 450], true],
  [[250, 550, 250], false],
])('H20: after %j a lost connection loses nothing: %s', (statuses, isDecided) => {
  expect(answered(transaction(), statuses).isDecided).toBe(isDecided)
})

test('addresses are told as they were given, with the reply that decided; a path that is repeated is told as often', () => {
  const one = answered(transaction({ to: ['b@x.test', 'c@X.TEST', 'b@x.TEST'] }), [250, 250, 550, 354])
  one.isOut = true
  one.octets = 3
  one.take('content', reply(250))
  expect(one.receipt()).toEqual({
    outcome: 'partial',
    recipients: [
      { address: 'b@x.test', outcome: 'accepted', reply: reply(250) },
      { address: 'c@X.TEST', outcome: 'refused', reply: reply(550) },
      { address: 'b@x.TEST', outcome: 'accepted', reply: reply(250) },
    ],
    reply: reply(250),
    octets: 3,
  })
})
