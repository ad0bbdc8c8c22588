import { expect, test } from 'vitest'
import { Pop3Client, type Pop3Options } from '../../../src/pop3/index.ts'
import { parseFeatures } from '../../../src/pop3/features.ts'
import { everySplit } from '../../support/every-split.ts'
import { answers, FlightServer } from '../../support/flights.ts'

const features = (...lines: readonly string[]) =>
  parseFeatures(new Map(lines.map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1)] as const)))
const NONE = features()
const OPTIONS: Pop3Options = { host: 'pop.test', auth: { user: 'ann', password: 'pw' } }

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

test('nothing is taken for granted', () => {
  expect(NONE).toEqual({
    sasl: [],
    respCodes: false,
    authRespCode: false,
    loginDelay: null,
    pipelining: false,
    expire: null,
    uidl: false,
    top: false,
    user: false,
    stls: false,
    utf8: null,
    lang: false,
    implementation: null,
  })
})

test('all of RFC 2449, section 6, and of the extensions after it', () => {
  const lines = ['SASL PLAIN login', 'RESP-CODES', 'AUTH-RESP-CODE', 'LOGIN-DELAY 900 USER', 'PIPELINING', 'EXPIRE 60', 'UIDL', 'TOP', 'USER', 'STLS']
  expect(features(...lines, 'UTF8 user', 'LANG', 'IMPLEMENTATION Shlemazle Plotz v302')).toEqual({
    sasl: ['PLAIN', 'LOGIN'],
    respCodes: true,
    authRespCode: true,
    loginDelay: { seconds: 900, perUser: true },
    pipelining: true,
    expire: { days: 60, perUser: false },
    uidl: true,
    top: true,
    user: true,
    stls: true,
    utf8: { user: true },
    lang: true,
    implementation: 'Shlemazle Plotz v302',
  })
})

test.each([
  ['LOGIN-DELAY 300', { loginDelay: { seconds: 300, perUser: false } }],
  ['LOGIN-DELAY', { loginDelay: null }],
  ['LOGIN-DELAY -1', { loginDelay: null }],
  ['LOGIN-DELAY 1e9', { loginDelay: null }],
  ['EXPIRE NEVER', { expire: { days: 'never', perUser: false } }],
  ['EXPIRE never', { expire: { days: 'never', perUser: false } }],
  ['EXPIRE 0', { expire: { days: 0, perUser: false } }],
  ['EXPIRE 30 USER', { expire: { days: 30, perUser: true } }],
  ['EXPIRE', { expire: null }],
  ['EXPIRE soon', { expire: null }],
  ['UTF8', { utf8: { user: false } }],
  ['SASL', { sasl: [] }],
  ['X-GOOGLE-RICO', NONE],
])('%s', (line, expected) => {
  expect(features(line)).toEqual({ ...NONE, ...expected })
})

test('they are those of the last state that was asked in, however the answer is cut (quirk 35: a line that begins with a dot ends nothing)', async () => {
  for (const chunks of everySplit('+OK\r\n..X\r\nuidl\r\nSASL PLAIN\r\nsasl LOGIN\r\nLANG\r\n.\r\n')) {
    const server = new FlightServer(
      answers(['USER', 'STLS', 'TOP'], (line) => (line === 'CAPA' && server.sentText.includes('PASS') ? null : undefined)),
    )
    const write = server.onWrite
    server.onWrite = (octets) => {
      write?.(octets)
      if (octets.toString() === 'CAPA\r\n' && server.sentText.includes('PASS')) for (const chunk of chunks) server.feed(chunk)
    }
    const client = await Pop3Client.over(server, OPTIONS)
    expect(client.features).toEqual({ ...NONE, uidl: true, sasl: ['PLAIN', 'LOGIN'], lang: true })
    expect(client.capabilities.get('.X')).toEqual([])
  }
})

test('RFC 6856, section 3: languages are listed and set', async () => {
  const said: Readonly<Record<string, string>> = {
    LANG: '+OK\r\nen English\r\nde Deutsch\r\nfr Français\r\ni-default Default language\r\n.\r\n',
    'LANG xx': '-ERR invalid language\r\n',
  }
  const server = new FlightServer(answers(['USER', 'LANG'], (line) => said[line]))
  const client = await Pop3Client.over(server, OPTIONS)
  expect(await collect(client.languages())).toEqual([
    { tag: 'en', name: 'English' },
    { tag: 'de', name: 'Deutsch' },
    { tag: 'fr', name: expect.stringMatching(/^Fran.*ais$/) },
    { tag: 'i-default', name: 'Default language' },
  ])
  await client.setLanguage('de')
  await client.setLanguage('*')
  await expect(client.setLanguage('xx')).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'lang', reusable: true })
  await expect(client.setLanguage('de\r\nDELE 1')).rejects.toMatchObject({ code: 'ERR_OPTION' })
  expect(server.flights.flat().slice(-4)).toEqual(['LANG', 'LANG de', 'LANG *', 'LANG xx'])
})

test("top: 'RETR' gives what TOP would, however the message is cut", async () => {
  const message = 'A: b\r\n c\r\n\r\n..one\r\ntwo\r\n\r\nthree\r\n.\r\n'
  for (const [lines, expected] of [
    [0, 'A: b\r\n c\r\n\r\n'],
    [1, 'A: b\r\n c\r\n\r\n.one\r\n'],
    [3, 'A: b\r\n c\r\n\r\n.one\r\ntwo\r\n\r\n'],
    [9, 'A: b\r\n c\r\n\r\n.one\r\ntwo\r\n\r\nthree\r\n'],
  ] as const) {
    for (const way of ['owned', 'views'] as const) {
      for (const chunks of everySplit(`+OK\r\n${message}`)) {
        const server = new FlightServer(answers(['USER'], (line) => (line === 'RETR 7' ? null : undefined)))
        const client = await Pop3Client.over(server, { ...OPTIONS, top: 'RETR' })
        const retrieval = client.top(7, lines)
        const reading = (async () => {
          let text = ''
          for await (const chunk of way === 'owned' ? retrieval : retrieval.views()) text += chunk.toString('latin1')
          return text
        })()
        for (const chunk of chunks) server.feed(chunk)
        expect(await reading).toBe(expected)
        await client.noop()
        expect(server.flights.flat().slice(-2)).toEqual(['RETR 7', 'NOOP'])
      }
    }
  }
})

test('resetBeforeQuit sends RSET where nothing was deleted', async () => {
  for (const [deletes, lines] of [
    [false, ['RSET', 'QUIT']],
    [true, ['DELE 1', 'QUIT']],
  ] as const) {
    const server = new FlightServer(answers(['USER']))
    const client = await Pop3Client.over(server, { ...OPTIONS, resetBeforeQuit: true })
    if (deletes) await client.delete(1)
    expect(await client.quit()).toEqual({ confirmed: true })
    expect(server.flights.flat().slice(-2)).toEqual(lines)
  }
})
