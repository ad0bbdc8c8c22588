import { channel } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { collect, text } from '../../support/collect.ts'
import { Pop3Client, type ServerOptions } from '../../../src/pop3/index.ts'
import { everySplit } from '../../support/every-split.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

const OPTIONS: ServerOptions = { host: 'pop.test', auth: { user: 'ann', password: 's3cret' } }

/** A client in TRANSACTION. `answers` says what each command line gets; what is not there gets `+OK`, or nothing where it is `null`. */
async function loggedIn(
  answers: Readonly<Record<string, string | null>> = {},
  options: ServerOptions = OPTIONS,
): Promise<[Pop3Client, MemoryTransport]> {
  const transport = new MemoryTransport()
  transport.onWrite = (octets) => {
    for (const line of octets.toString().split('\r\n').slice(0, -1)) {
      const answer = line in answers ? answers[line] : line === 'CAPA' ? '+OK\r\nUIDL\r\nIMPLEMENTATION Fake 1.0\r\n.\r\n' : '+OK\r\n'
      if (typeof answer === 'string') transport.feed(answer)
    }
  }
  transport.feed('+OK ready <1.2@pop.test>\r\n')
  const client = await Pop3Client.over(transport, options)
  transport.sent.length = 0
  return [client, transport]
}

/** Lets everything that can go on without new octets go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

afterEach(() => {
  vi.useRealTimers()
})

test('tells what the server said of itself', async () => {
  const [client] = await loggedIn()
  expect(client.greeting).toBe('ready <1.2@pop.test>')
  expect(client.implementation).toBe('Fake 1.0')
  expect([...client.capabilities.keys()]).toEqual(['UIDL', 'IMPLEMENTATION'])
  expect(client.tls?.version).toBe('TLSv1.3')
})

test('STAT: the count decides, a size that cannot be read is 0; without a count the call fails and the connection lives', async () => {
  const answers: Record<string, string> = { STAT: '+OK 3 -2147\r\n' }
  const [client] = await loggedIn(answers)
  expect(await client.stat()).toEqual({ count: 3, octets: 0 })
  answers['STAT'] = '+OK lots\r\n'
  await expect(client.stat()).rejects.toMatchObject({ code: 'ERR_PROTOCOL', phase: 'stat', reusable: true })
  await client.noop()
})

test('chunks are owned when iterated and borrowed through views()', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': null })
  for (const way of ['owned', 'views'] as const) {
    const retrieval = client.retrieve(1)
    const kept: Buffer[] = []
    const reading = (async () => {
      for await (const chunk of way === 'owned' ? retrieval : retrieval.views()) kept.push(chunk)
    })()
    await settled()
    transport.feed('+OK\r\n')
    for (const chunk of ['abc', 'def\r\n', '.\r\n']) {
      transport.feed(chunk)
      await settled()
    }
    await reading
    expect(Buffer.concat(kept).toString('latin1')).toBe(way === 'owned' ? 'abcdef\r\n' : '\xaa'.repeat(8))
  }
})

test('P9: content is the same at every split', async () => {
  const wire = '+OK 9\r\nA: b\r\n\r\n..\r\n..dot\r\n.\r\n'
  for (const chunks of everySplit(wire)) {
    const [client, transport] = await loggedIn({ 'RETR 1': null })
    const reading = text(client.retrieve(1))
    for (const chunk of chunks) transport.feed(chunk)
    expect(await reading).toBe('A: b\r\n\r\n.\r\n.dot\r\n')
    await client.noop()
  }
})

test('RETR is sent when iteration starts, and a content is read once', async () => {
  const [client, transport] = await loggedIn({ 'RETR 2': '+OK\r\nx\r\n.\r\n' })
  const retrieval = client.retrieve(2)
  expect(retrieval.number).toBe(2)
  await settled()
  expect(transport.sentText).toBe('')
  expect(await text(retrieval)).toBe('x\r\n')
  await expect(text(retrieval)).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
  await expect(text(retrieval.views())).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
  expect(transport.sentText).toBe('RETR 2\r\n')
})

test('H59: a refused RETR fails alone', async () => {
  const [client] = await loggedIn({ 'RETR 2': '-ERR [SYS/TEMP] disk\r\n' })
  await expect(text(client.retrieve(2))).rejects.toMatchObject({
    name: 'Pop3ReplyError',
    code: 'ERR_POP3_REPLY',
    phase: 'retr',
    responseCode: 'SYS/TEMP',
    text: 'disk',
    transient: true,
    reusable: true,
  })
  await client.noop()
})

test('wrong numbers are refused before anything is sent', async () => {
  const [client, transport] = await loggedIn()
  expect(() => client.retrieve(0)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  expect(() => client.top(1, -1)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  await expect(client.delete(1.5)).rejects.toMatchObject({ code: 'ERR_OPTION' })
  await expect(collect(client.retrieveAll([Number.NaN]))).rejects.toMatchObject({ code: 'ERR_OPTION' })
  expect(transport.sentText).toBe('')
})

test('calls have their turn in order; the next one leaves in the tick in which the final dot is seen', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': null, 'RETR 2': null, 'DELE 1': null })
  const first = text(client.retrieve(1))
  const deleted = client.delete(1)
  const second = text(client.retrieve(2))
  await settled()
  expect(transport.sentText).toBe('RETR 1\r\n')
  transport.feed('+OK\r\none\r\n')
  await settled()
  expect(transport.sentText).toBe('RETR 1\r\n')
  transport.feed('.\r\n')
  expect(await first).toBe('one\r\n')
  expect(transport.sentText).toBe('RETR 1\r\nDELE 1\r\n')
  transport.feed('+OK\r\n')
  await deleted
  await settled()
  expect(transport.sentText).toBe('RETR 1\r\nDELE 1\r\nRETR 2\r\n')
  transport.feed('+OK\r\ntwo\r\n.\r\n')
  expect(await second).toBe('two\r\n')
})

test('retrieveAll sends the next RETR in the same tick, and its loop may delete', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\none\r\n.\r\n', 'RETR 5': '+OK\r\nfive\r\n.\r\n', 'RETR 9': '-ERR gone\r\n' })
  const seen: string[] = []
  for await (const retrieval of client.retrieveAll([1, 5, 9])) {
    try {
      seen.push(`${retrieval.number} ${await text(retrieval)}`)
      await client.delete(retrieval.number)
    } catch (error) {
      seen.push(String(error))
    }
  }
  expect(seen).toEqual(['1 one\r\n', '5 five\r\n', 'Pop3ReplyError: the server refused in the retr phase: gone'])
  expect(transport.sentText).toBe('RETR 1\r\nDELE 1\r\nRETR 5\r\nDELE 5\r\nRETR 9\r\n')
})

test('leaving a loop early drains a short rest', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': `+OK\r\n${'x'.repeat(1000)}` })
  for await (const chunk of client.retrieve(1)) {
    expect(chunk).toHaveLength(1000)
    transport.feed(`${'y'.repeat(50_000)}\r\n.\r\n`)
    break
  }
  await client.noop()
  expect(await client.quit()).toEqual({ confirmed: true })
})

test('leaving a loop early closes the connection for a long rest, and later calls say why', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\nfirst\r\n' })
  for await (const chunk of client.retrieve(1)) {
    expect(chunk.toString()).toBe('first\r\n')
    for (let n = 0; n < 10; n++) transport.feed(Buffer.alloc(65_536, 'x'))
    break
  }
  expect(transport.destroyed).toBe(true)
  await expect(client.noop()).rejects.toMatchObject({
    code: 'ERR_CLOSED',
    cause: expect.objectContaining({ message: expect.stringMatching(/left in the retr phase/) }),
  })
  expect(await client.quit()).toEqual({ confirmed: false })
})

test('a listing left early is drained too', async () => {
  const [client] = await loggedIn({ LIST: `+OK\r\n${Array.from({ length: 500 }, (_, n) => `${n + 1} 9\r\n`).join('')}.\r\n` })
  for await (const { number } of client.list()) if (number === 3) break
  await client.noop()
})

test('a reader that was left without a word does not hold others up for ever: one that may keep its pieces finds a short rest when it comes back', async () => {
  vi.useFakeTimers()
  for (const owned of [true, false]) {
    const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\nfirst\r\n' })
    const retrieval = client.retrieve(1)
    const reader = (owned ? retrieval : retrieval.views())[Symbol.asyncIterator]()
    await reader.next()
    const noop = client.noop()
    await vi.advanceTimersByTimeAsync(900)
    expect(transport.sentText).toBe('RETR 1\r\n')
    transport.feed('rest\r\n.\r\n')
    await vi.advanceTimersByTimeAsync(1_200)
    await noop
    if (owned) expect(String((await reader.next()).value)).toBe('rest\r\n')
    else await expect(reader.next()).rejects.toMatchObject({ code: 'ERR_SESSION_STATE', phase: 'retr' })
    expect(await reader.next()).toEqual({ done: true, value: undefined })
    expect(vi.getTimerCount()).toBe(0)
  }
})

test('of a rest that is long nothing is kept: the connection ends, and the reader is told', async () => {
  vi.useFakeTimers()
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\nfirst\r\n' })
  const reader = client.retrieve(1)[Symbol.asyncIterator]()
  await reader.next()
  const noop = client.noop()
  const refused = expect(noop).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  for (let at = 0; at < 40; at++) transport.feed(`${'x'.repeat(9_998)}\r\n`)
  await vi.advanceTimersByTimeAsync(1_200)
  await refused
  await expect(text({ [Symbol.asyncIterator]: () => reader })).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  expect(vi.getTimerCount()).toBe(0)
})

test.each(['list', 'uniqueIds'] as const)(
  'the loop over %s() may make calls although the listing comes in pieces, and nothing waits for a timer',
  async (way) => {
    vi.useFakeTimers()
    const verb = way === 'list' ? 'LIST' : 'UIDL'
    const [client, transport] = await loggedIn({ [verb]: '+OK\r\n1 10\r\n2 20\r\n' })
    const seen: number[] = []
    const reading = (async () => {
      for await (const { number } of client[way]()) {
        seen.push(number)
        if (number !== 3) await client.delete(number)
      }
    })()
    await vi.advanceTimersByTimeAsync(1)
    expect(transport.sentText).toBe(`${verb}\r\n`)
    transport.feed('3 30\r\n4 40\r\n')
    transport.feed('5 50\r\n.\r\n')
    await vi.advanceTimersByTimeAsync(1)
    await reading
    expect(seen).toEqual([1, 2, 3, 4, 5])
    expect(transport.sentText).toBe(`${verb}\r\nDELE 1\r\nDELE 2\r\nDELE 4\r\nDELE 5\r\n`)
    expect(vi.getTimerCount()).toBe(0)
  },
)

test('a long listing that was left early is drained, whatever its length', async () => {
  const lines = Array.from({ length: 20_000 }, (_, n) => `${n + 1} ${'u'.repeat(30)}\r\n`)
  const [client, transport] = await loggedIn({ UIDL: `+OK\r\n${lines.slice(0, 10).join('')}` })
  const reader = client.uniqueIds()[Symbol.asyncIterator]()
  await reader.next()
  const left = reader.return?.()
  for (let at = 10; at < lines.length; at += 100) transport.feed(lines.slice(at, at + 100).join(''))
  transport.feed('.\r\n')
  await left
  await client.noop()
})

test('a reader that waits for the server is not given up', async () => {
  vi.useFakeTimers()
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\nfirst\r\n' })
  const reading = text(client.retrieve(1))
  const noop = client.noop()
  await vi.advanceTimersByTimeAsync(30_000)
  transport.feed('last\r\n.\r\n')
  expect(await reading).toBe('first\r\nlast\r\n')
  await noop
})

test('a reader that has all of it holds nobody up', async () => {
  const [client] = await loggedIn({ 'TOP 1 0': '+OK\r\nA: b\r\n\r\n.\r\n' })
  const views = client.top(1, 0).views()[Symbol.asyncIterator]()
  const { value } = await views.next()
  await client.noop()
  expect(value.toString()).toBe('A: b\r\n\r\n')
  expect(await views.next()).toEqual({ done: true, value: undefined })
})

test('retrieveAll skips what is left of a message when the next is asked for, and never ends it as if it were whole', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\none\r\n', 'RETR 2': '+OK\r\ntwo\r\n.\r\n' })
  const retrievals = client.retrieveAll([1, 2])[Symbol.asyncIterator]()
  const first = (await retrievals.next()).value
  if (first === undefined) throw new Error('no retrieval')
  const reader = first[Symbol.asyncIterator]()
  await reader.next()
  const second = (await retrievals.next()).value
  if (second === undefined) throw new Error('no retrieval')
  const reading = text(second)
  transport.feed('rest of one\r\n.\r\n')
  expect(await reading).toBe('two\r\n')
  await expect(reader.next()).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
})

test('H16, S17: a surplus answer ends the connection at the next call', async () => {
  const [client, transport] = await loggedIn({ 'DELE 1': '+OK\r\n+OK\r\n' })
  await client.delete(1)
  await expect(client.delete(2)).rejects.toMatchObject({ code: 'ERR_PROTOCOL', phase: 'dele' })
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED', cause: expect.objectContaining({ code: 'ERR_PROTOCOL' }) })
  expect(transport.sentText).toBe('DELE 1\r\n')
})

test('a failure ends waiting calls too', async () => {
  const [client] = await loggedIn({ NOOP: 'what?\r\n' })
  const outcomes = await Promise.allSettled([client.noop(), client.delete(1), text(client.retrieve(1)), client.quit()])
  expect(outcomes).toMatchObject([
    { reason: { code: 'ERR_PROTOCOL', phase: 'noop' } },
    { reason: { code: 'ERR_CLOSED', cause: { code: 'ERR_PROTOCOL' } } },
    { reason: { code: 'ERR_CLOSED', cause: { code: 'ERR_PROTOCOL' } } },
    { value: { confirmed: false } },
  ])
})

test('H17, H48: each wait has its timer', async () => {
  const timeouts = { greeting: 11, command: 22, idle: 33, quit: 44, transaction: 5_000 }
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\na\r\n', QUIT: null }, { ...OPTIONS, timeouts })
  expect(transport.asked.find(({ what }) => what === 'read')).toMatchObject({ phase: 'greeting', waitMs: 11 })
  const reader = client.retrieve(1)[Symbol.asyncIterator]()
  await reader.next()
  const last = reader.next()
  await settled()
  expect(transport.asked.at(-1)).toEqual({ what: 'read', phase: 'retr', waitMs: 33 })
  expect(transport.asked.filter(({ phase }) => phase === 'retr').map(({ what, waitMs }) => [what, waitMs])).toEqual([
    ['write', 22],
    ['read', 22],
    ['read', 33],
  ])
  transport.expire()
  await expect(last).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'retr', transient: true })
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED', cause: { code: 'ERR_TIMEOUT' } })
})

test('H44: capabilities that come line by line for ever end with the timer of a command', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const transport = new MemoryTransport()
  transport.feed('+OK\r\n')
  const outcome = Pop3Client.over(transport, { ...OPTIONS, timeouts: { command: 50, transaction: 5_000 } }).catch((error: unknown) => error)
  await settled()
  transport.feed('+OK\r\nTOP\r\n')
  await settled()
  vi.advanceTimersByTime(51)
  transport.feed('UIDL\r\n')
  expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'capa' })
})

test('a retrieval as a whole has a deadline', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\na\r\n' }, { ...OPTIONS, timeouts: { transaction: 50 } })
  vi.useFakeTimers({ toFake: ['performance'] })
  const reader = client.retrieve(1)[Symbol.asyncIterator]()
  await reader.next()
  transport.feed('b\r\n')
  vi.advanceTimersByTime(51)
  await expect(reader.next()).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'retr' })
  expect(transport.destroyed).toBe(true)
})

test.each([
  ['+OK bye\r\n', true],
  ['-ERR some deleted messages not removed\r\n', false],
  ['what\r\n', false],
])('H58, P12: QUIT answered %j is confirmed: %s', async (answer, confirmed) => {
  const [client, transport] = await loggedIn({ QUIT: answer })
  expect(await client.quit()).toEqual({ confirmed })
  expect(await client.quit()).toEqual({ confirmed })
  expect(transport.destroyed).toBe(true)
  expect(transport.sentText).toBe('QUIT\r\n')
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('H43: a QUIT that is never answered, or by the end, is not confirmed', async () => {
  for (const answer of ['expire', 'finish'] as const) {
    const [client, transport] = await loggedIn({ QUIT: null }, { ...OPTIONS, timeouts: { quit: 77 } })
    const quit = client.quit()
    await settled()
    expect(transport.asked.at(-1)).toMatchObject({ what: 'read', phase: 'quit', waitMs: 77 })
    transport[answer]()
    expect(await quit).toEqual({ confirmed: false })
    expect(transport.destroyed).toBe(true)
  }
})

test('quit waits for its turn and nothing comes behind it', async () => {
  const [client, transport] = await loggedIn({ 'RETR 1': null })
  const reading = text(client.retrieve(1))
  const quit = client.quit()
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  transport.feed('+OK\r\nx\r\n.\r\n')
  expect(await reading).toBe('x\r\n')
  expect(await quit).toEqual({ confirmed: true })
  expect(transport.sentText).toBe('RETR 1\r\nQUIT\r\n')
})

test('disposing quits when nothing is under way, and hangs on nothing otherwise', async () => {
  const [quiet, one] = await loggedIn()
  await quiet[Symbol.asyncDispose]()
  expect(one.sentText).toBe('QUIT\r\n')
  expect(one.closed).toBe(true)
  const [busy, two] = await loggedIn({ NOOP: null })
  const noop = busy.noop()
  await busy[Symbol.asyncDispose]()
  expect(two.destroyed).toBe(true)
  await expect(noop).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('a signal ends the connection with all calls on it, and its listener goes with the connection', async () => {
  const controller = new AbortController()
  const added = vi.spyOn(controller.signal, 'addEventListener')
  const removed = vi.spyOn(controller.signal, 'removeEventListener')
  const [client, transport] = await loggedIn({ 'RETR 1': '+OK\r\nx\r\n' }, { ...OPTIONS, signal: controller.signal })
  const calls = [text(client.retrieve(1)), client.noop(), client.delete(1)]
  const outcomes = Promise.allSettled(calls)
  await settled()
  const reason = new Error('enough')
  controller.abort(reason)
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason })
  expect(transport.destroyedWith).toBe(reason)
  await expect(client.noop()).rejects.toBe(reason)
  const [other] = await loggedIn({}, { ...OPTIONS, signal: new AbortController().signal })
  await other.quit()
  expect(removed.mock.calls.length).toBeGreaterThanOrEqual(added.mock.calls.length)
})

test('an abort while a password is asked for ends the attempt', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const password = (): Promise<string> => {
    queueMicrotask(() => controller.abort(reason))
    return new Promise(() => {})
  }
  await expect(loggedIn({}, { host: 'pop.test', auth: { user: 'ann', password }, signal: controller.signal })).rejects.toBe(reason)
})

test('a secret is asked for only when it is needed', async () => {
  const password = vi.fn(() => Promise.resolve('s3cret'))
  const auth = { user: 'ann', password }
  await loggedIn({}, { host: 'pop.test', auth })
  expect(password).toHaveBeenCalledOnce()
  password.mockClear()
  await expect(loggedIn({ 'USER ann': '-ERR [SYS/TEMP] later\r\n' }, { host: 'pop.test', auth })).rejects.toMatchObject({
    code: 'ERR_POP3_REPLY',
    transient: true,
  })
  expect(password).not.toHaveBeenCalled()
})

test('without credentials the session stays before the login', async () => {
  const [client, transport] = await loggedIn({}, { host: 'pop.test' })
  await expect(client.stat()).rejects.toMatchObject({ code: 'ERR_SESSION_STATE', phase: 'stat', reusable: true })
  await expect(collect(client.list())).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
  expect(await client.quit()).toEqual({ confirmed: true })
  expect(transport.sentText).toBe('QUIT\r\n')
})

test('S19: credentials do not leave in clear text unless that is allowed', async () => {
  for (const security of ['none', 'tls'] as const) {
    const transport = new MemoryTransport(null)
    await expect(Pop3Client.over(transport, { ...OPTIONS, security })).rejects.toMatchObject({ code: 'ERR_AUTH_CLEAR_TEXT', phase: 'auth' })
    expect(transport.asked).toEqual([])
  }
  await expect(Pop3Client.connect({ ...OPTIONS, host: 'not.asked.invalid', security: 'none' })).rejects.toMatchObject({ code: 'ERR_AUTH_CLEAR_TEXT' })
})

test.each([
  ['-ERR no', false],
  ['-ERR [SYS/TEMP] later', true],
])('T2: STLS answered %j sends no credentials', async (answer, transient) => {
  const transport = new MemoryTransport(null)
  transport.onWrite = (octets) => transport.feed(octets.toString() === 'STLS\r\n' ? `${answer}\r\n` : '-ERR\r\n')
  transport.feed('+OK\r\n')
  await expect(Pop3Client.over(transport, { ...OPTIONS, security: 'starttls' })).rejects.toMatchObject({ code: 'ERR_TLS_REQUIRED', transient })
  expect(transport.sentText).not.toMatch(/USER|PASS/)
})

test.each([
  { user: 'ann', accessToken: 'token' },
  { user: 'ann', mechanism: 'EXTERNAL' },
  { user: 'ann', password: 'x', mechanism: 'CRAM-MD5' },
] as const)('a mechanism that is not there is said before anything is sent', async (auth) => {
  const transport = new MemoryTransport()
  await expect(Pop3Client.over(transport, { host: 'pop.test', auth })).rejects.toMatchObject({ code: 'ERR_AUTH_MECHANISM' })
  expect(transport.asked).toEqual([])
})

test('S24: the password is in no error, diagnostic or inspection', async () => {
  const seen: unknown[] = []
  const lines: unknown[] = []
  const listener = (message: unknown): void => {
    seen.push(message)
    if (typeof message === 'object' && message !== null && 'line' in message) lines.push(message.line)
  }
  const channels = [channel('mail:pop3:command'), channel('mail:pop3:reply')]
  for (const one of channels) one.subscribe(listener)
  try {
    const [client] = await loggedIn({ 'RETR 1': '+OK\r\nprivate\r\n.\r\n' }, { ...OPTIONS, label: 'inbox' })
    await text(client.retrieve(1))
    const failure = await loggedIn({ 'PASS s3cret': '-ERR PASS s3cret is wrong\r\n' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_AUTH', text: 'PASS *** is wrong' })
    expect(inspect([client, failure, seen], { depth: 9, showHidden: true })).not.toMatch(/s3cret|private/)
  } finally {
    for (const one of channels) one.unsubscribe(listener)
  }
  expect(lines.slice(-10)).toContain('PASS ***')
  expect(lines).toContain('+OK ready <1.2@pop.test>')
  expect(lines).toContain('9 octets of content')
  expect(seen[0]).toEqual({ host: 'pop.test', port: 995, label: 'inbox', line: '+OK ready <1.2@pop.test>' })
})

test.each([
  ['-ERR invalid password', 'ERR_AUTH', false],
  ['-ERR [AUTH] please wait for nothing', 'ERR_AUTH', false],
  ['-ERR [IN-USE] other session', 'ERR_POP3_REPLY', true],
  ['-ERR [LOGIN-DELAY] too soon', 'ERR_POP3_REPLY', true],
  ['-ERR [SYS/TEMP] later', 'ERR_POP3_REPLY', true],
  ['-ERR [SYS/PERM] never', 'ERR_POP3_REPLY', false],
  ['-ERR maildrop already locked', 'ERR_POP3_REPLY', true],
  ['-ERR server busy', 'ERR_POP3_REPLY', true],
])('H42, H57, P13: PASS answered %j is %s', async (answer, code, transient) => {
  await expect(loggedIn({ 'PASS s3cret': `${answer}\r\n` })).rejects.toMatchObject({
    name: 'Pop3ReplyError',
    code,
    transient,
    phase: 'auth',
    reusable: false,
  })
})

test('H10: server text in a message is printable', async () => {
  const [client] = await loggedIn({ NOOP: '-ERR \x1b[31m\0\r\n' })
  await expect(client.noop()).rejects.toMatchObject({ text: '\x1b[31m\0', message: expect.stringContaining('\\u{1b}[31m\\u{0}') })
})
