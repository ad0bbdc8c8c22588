import { afterEach, expect, test, vi } from 'vitest'
import { Pop3Client, type Pop3Options, type Retrieval } from '../../../src/pop3/index.ts'
import { answers, contentOf, FlightServer } from '../../support/flights.ts'

const OPTIONS: Pop3Options = { host: 'pop.test', auth: { user: 'ann', password: 's3cret' } }
const BOTH = ['USER', 'PIPELINING', 'TOP', 'UIDL']
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1)

async function loggedIn(server: FlightServer, options: Pop3Options = OPTIONS): Promise<Pop3Client> {
  const client = await Pop3Client.over(server, options)
  server.flights.length = 0
  server.sent.length = 0
  server.most = 0
  return client
}

async function text(source: AsyncIterable<Buffer>): Promise<string> {
  let all = ''
  for await (const chunk of source) all += chunk.toString('latin1')
  return all
}

/** What a loop that reads all of each gets: number and content, or the code of its error. */
async function readAll(retrievals: AsyncIterable<Retrieval>, after: (number: number) => Promise<unknown> = async () => {}): Promise<string[]> {
  const seen: string[] = []
  for await (const retrieval of retrievals) {
    seen.push(await text(retrieval).catch((error: unknown) => String(error)))
    await after(retrieval.number)
  }
  return seen
}

const wanted = (numbers: readonly number[]): string[] => numbers.map((number) => contentOf(number).replace('..', '.'))

/** Lets everything that can go on without new octets go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
}

afterEach(() => {
  vi.useRealTimers()
})

test('1,000 messages with PIPELINING: 32 commands under way and at most 1,000 / 32 + 5 round trips; without, one each', async () => {
  for (const [capabilities, options, most, flights] of [
    [BOTH, OPTIONS, 32, 1_000 / 32 + 5],
    [['USER'], OPTIONS, 1, 1_000],
    [BOTH, { ...OPTIONS, pipelining: 'never' }, 1, 1_000],
    [BOTH, { ...OPTIONS, capabilities: 'never' }, 1, 1_000],
  ] as const) {
    const server = new FlightServer(answers(capabilities))
    const client = await loggedIn(server, options)
    expect(await readAll(client.retrieveAll(upTo(1_000)))).toEqual(wanted(upTo(1_000)))
    expect(server.most).toBe(most)
    expect(server.flights.length).toBeLessThanOrEqual(flights)
    expect(server.flights.flat()).toEqual(upTo(1_000).map((number) => `RETR ${number}`))
    server.flights.length = 0
    const top: string[] = []
    for await (const one of client.topAll(upTo(1_000), 0)) top.push(await text(one))
    expect(top[999]).toBe('Subject: 1000\r\n\r\n')
    expect(server.flights.length).toBeLessThanOrEqual(flights)
    server.flights.length = 0
    const deletions: unknown[] = []
    for await (const one of client.deleteAll(upTo(1_000))) deletions.push(one)
    expect(deletions).toEqual(upTo(1_000).map((number) => ({ number, error: null })))
    expect(server.flights.length).toBeLessThanOrEqual(flights)
    server.flights.length = 0
    const ids: unknown[] = []
    for await (const one of client.uniqueIds(upTo(1_000))) ids.push(one)
    expect(ids).toEqual(upTo(1_000).map((number) => ({ number, uniqueId: `u${number}` })))
    expect(server.flights.length).toBeLessThanOrEqual(flights)
    expect(await client.quit()).toEqual({ confirmed: true })
  }
})

test.each([
  [BOTH, 1_000 / 32 + 5],
  [['USER'], 1_000],
])('over a link of 20 ms the time is that of the round trips (%j)', async (capabilities, most) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const server = new FlightServer(answers(capabilities), 20)
  const connecting = loggedIn(server)
  while (!server.flights.flat().includes('PASS s3cret')) await vi.advanceTimersByTimeAsync(20)
  await vi.advanceTimersByTimeAsync(40)
  const client = await connecting
  const from = performance.now()
  const passed: number[] = []
  const reading = readAll(client.retrieveAll(upTo(1_000))).then((seen) => {
    passed.push(performance.now() - from)
    return seen
  })
  while (passed.length === 0) await vi.advanceTimersByTimeAsync(20)
  expect(await reading).toEqual(wanted(upTo(1_000)))
  expect(passed).toEqual([server.flights.length * 20])
  expect(server.flights.length).toBeLessThanOrEqual(most)
})

test('commands under way have at most 2 KiB', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  server.mostOctets = 0
  const numbers = upTo(200).map((n) => Number.MAX_SAFE_INTEGER - n)
  for await (const retrieval of client.topAll(numbers, 900_000_000_000_000)) await text(retrieval)
  expect(server.mostOctets).toBeLessThanOrEqual(2_048)
  expect(server.mostOctets).toBeGreaterThan(1_000)
})

test('the window is filled again while a fifth of it is left, once all that arrived was read', async () => {
  const server = new FlightServer((line) => (line.startsWith('RETR') && line !== 'RETR 1' ? null : answers(BOTH)(line)))
  const client = await loggedIn(server)
  const seen: number[] = []
  const reading = (async () => {
    for await (const retrieval of client.retrieveAll(upTo(200))) {
      await text(retrieval)
      seen.push(retrieval.number)
    }
  })()
  await settle()
  expect(server.flights.map(({ length }) => length)).toEqual([1, 32])
  for (let number = 2; number <= 26; number++) server.feed(`+OK\r\n${number}\r\n.\r\n`)
  await settle()
  expect(seen.at(-1)).toBe(26)
  expect(server.flights).toHaveLength(2) // seven are left
  server.feed('+OK\r\n27\r\n.\r\n')
  await settle()
  expect(server.flights.map(({ length }) => length)).toEqual([1, 32, 26])
  void client[Symbol.asyncDispose]()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('H50: an -ERR in the middle of a batch fails that item only', async () => {
  const server = new FlightServer(answers(BOTH, (line) => (/ (?:3|70)(?: |$)/.test(line) ? '-ERR [SYS/TEMP] not now\r\n' : undefined)))
  const client = await loggedIn(server)
  const seen = await readAll(client.retrieveAll(upTo(100)))
  for (const [at, content] of seen.entries()) {
    if (at === 2 || at === 69) expect(content).toBe('Pop3ReplyError: the server refused in the retr phase: [SYS/TEMP] not now')
    else expect(content).toBe(wanted([at + 1])[0])
  }
  const errors: unknown[] = []
  for await (const { number, error } of client.deleteAll([1, 3, Number.NaN, 4])) errors.push([number, error?.code ?? null])
  expect(errors).toEqual([
    [1, null],
    [3, 'ERR_POP3_REPLY'],
    [Number.NaN, 'ERR_OPTION'],
    [4, null],
  ])
  const ids: number[] = []
  for await (const { number } of client.uniqueIds([1, 3, 4])) ids.push(number)
  expect(ids).toEqual([1, 4])
  await expect(
    (async () => {
      for await (const _one of client.uniqueIds([3]));
    })(),
  ).rejects.toMatchObject({ responseCode: 'SYS/TEMP' })
})

test('a wrong number in a batch is refused when its turn comes', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  const seen: number[] = []
  const reading = (async () => {
    for await (const retrieval of client.retrieveAll([1, 2, 3, 0, 4])) {
      await text(retrieval)
      seen.push(retrieval.number)
    }
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_OPTION' })
  expect(seen).toEqual([1, 2, 3])
  await client.noop()
  expect(server.flights.flat()).not.toContain('RETR 4')
})

function* failing(): Generator<number> {
  yield* upTo(10)
  throw new Error('of the caller')
}

test.each([[BOTH], [['USER']]])('what an iterable gave before it threw has its turn (%j)', async (capabilities) => {
  const client = await loggedIn(new FlightServer(answers(capabilities)))
  const batches = [
    () => client.retrieveAll(failing()),
    () => client.topAll(failing(), 0),
    () => client.deleteAll(failing()),
    () => client.uniqueIds(failing()),
  ]
  for (const batch of batches) {
    const seen: number[] = []
    const reading = (async () => {
      for await (const one of batch()) {
        if (Symbol.asyncIterator in one) await text(one)
        seen.push(one.number)
      }
    })()
    await expect(reading).rejects.toThrow('of the caller')
    expect(seen).toEqual(upTo(10))
  }
  expect(await client.quit()).toEqual({ confirmed: true })
})

test('a loop that deletes as it goes stays at one at a time', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  expect(await readAll(client.retrieveAll(upTo(5)), (number) => client.delete(number))).toEqual(wanted(upTo(5)))
  expect(server.flights.flat()).toEqual(upTo(5).flatMap((number) => [`RETR ${number}`, `DELE ${number}`]))
})

test('a call in the middle of a batch has its turn: what was asked for ahead is dropped and asked for again, one at a time', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  const seen: string[] = []
  for await (const retrieval of client.retrieveAll(upTo(100))) {
    if (retrieval.number === 50) await client.noop() // before its content was read, which is on its way
    seen.push(await text(retrieval))
    if (retrieval.number === 60) for await (const { error } of client.deleteAll([50, 60])) expect(error).toBeNull()
  }
  expect(seen).toEqual(wanted(upTo(100)))
  const asked = server.flights.flat()
  expect(asked.slice(asked.lastIndexOf('RETR 50'))).toEqual([
    ...upTo(60)
      .slice(49)
      .map((number) => `RETR ${number}`),
    'DELE 50',
    'DELE 60',
    ...upTo(100)
      .slice(60)
      .map((number) => `RETR ${number}`),
  ])
})

test('leaving a batch early leaves a connection that works', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  for await (const retrieval of client.retrieveAll(upTo(100))) {
    await text(retrieval)
    if (retrieval.number === 10) break
  }
  await client.delete(10)
  expect(server.flights.flat().filter((line) => line === 'DELE 10')).toHaveLength(1)
  expect(await client.quit()).toEqual({ confirmed: true })
})

test('what is skipped is not asked for ahead any more, and can be read later', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  let skipped: Retrieval | undefined
  const seen: string[] = []
  for await (const retrieval of client.retrieveAll(upTo(80))) {
    if (retrieval.number === 40) skipped = retrieval
    else seen.push(await text(retrieval))
  }
  expect(seen).toEqual(wanted(upTo(80).filter((number) => number !== 40)))
  if (skipped === undefined) throw new Error('nothing was skipped')
  expect(await text(skipped)).toBe(wanted([40])[0])
  expect(server.flights.slice(-40).every(({ length }) => length === 1)).toBe(true)
})

test('a slow reader of a batch is not taken for one that has left, and reads in order', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  const seen: string[] = []
  for await (const retrieval of client.retrieveAll(upTo(40))) {
    let content = ''
    for await (const chunk of retrieval.views()) {
      content += chunk.toString('latin1')
      await vi.advanceTimersByTimeAsync(5_000)
    }
    seen.push(content)
  }
  expect(seen).toEqual(wanted(upTo(40)))
  expect(vi.getTimerCount()).toBe(0)
})

test('two batches at once, and calls beside them, come to an end in whatever order', async () => {
  const server = new FlightServer(answers(BOTH))
  const client = await loggedIn(server)
  const [first, second, deleted] = await Promise.all([
    readAll(client.retrieveAll(upTo(150))),
    readAll(client.retrieveAll(upTo(90).toReversed())),
    (async () => {
      let count = 0
      for await (const { error } of client.deleteAll(upTo(70))) if (error === null) count++
      return count
    })(),
    client.noop(),
  ])
  expect(first).toEqual(wanted(upTo(150)))
  expect(second).toEqual(wanted(upTo(90).toReversed()))
  expect(deleted).toBe(70)
})

test('P17: an answer to UIDL about another message ends the connection', async () => {
  const server = new FlightServer(answers(BOTH, (line) => (line === 'UIDL 5' ? '+OK 4 u4\r\n' : undefined)))
  const client = await loggedIn(server)
  const reading = (async () => {
    for await (const _one of client.uniqueIds([3, 4, 5, 6]));
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_PROTOCOL', phase: 'uidl' })
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('quirk 39: an answer to UIDL without the number is the unique-id', async () => {
  const server = new FlightServer(answers(BOTH, (line) => (line === 'UIDL 5' ? '+OK  \xe9abc\r\n' : undefined)))
  const client = await loggedIn(server)
  for await (const one of client.uniqueIds([5])) expect(one).toEqual({ number: 5, uniqueId: '\xe9abc' })
})

test('when the connection is lost, a batch fails and says why', async () => {
  const server = new FlightServer(answers(BOTH, (line) => (line === 'RETR 20' ? 'garbage\r\n' : undefined)))
  const client = await loggedIn(server)
  const seen = await readAll(client.retrieveAll(upTo(25)))
  expect(seen.slice(0, 18)).toEqual(wanted(upTo(18)))
  // The garbage may be the rest of message 19, after a dot line that was not stuffed.
  expect(seen[18]).toMatch(/^MailError: .* the content may be cut$/)
  expect(seen.slice(19)).toEqual(Array.from({ length: 6 }, () => 'MailError: the connection was closed by an earlier failure'))
  const deleting = (async () => {
    for await (const _one of client.deleteAll([1, 2, 3]));
  })()
  await expect(deleting).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  expect(await client.quit()).toEqual({ confirmed: false })
})
