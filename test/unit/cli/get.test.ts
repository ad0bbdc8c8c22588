import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { getCommand, type Getter, type MakeGetter } from '../../../src/cli/get.ts'
import { fakeIo, streamOf } from './fake-io.ts'

type Options = Parameters<MakeGetter>[0]
type Handler = Parameters<Getter['get']>[1]
type Document = Parameters<Handler>[0]
type Report = Awaited<ReturnType<Getter['get']>>

let out = ''
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'wirepost-get-'))
})
afterEach(() => rm(out, { recursive: true, force: true }))

const REPORT: Report = { listed: 3, received: 2, documents: 2, skipped: 1, deleted: 0, unconfirmed: 0, failed: 0, quarantined: 0 }
const HEADER = { fields: [], value: () => undefined, values: () => [], addresses: () => [], date: () => null, messageIds: () => [], read: () => [] }

function document(safeFileName: string, content: AsyncIterable<Buffer>, more: Partial<Document> = {}): Document {
  return {
    id: 'u1#1',
    content,
    contentType: 'application/edifact',
    safeFileName,
    tracked: { user: 'u', toAddress: 'b@x', subject: 'Hello \u001B[31m\u202Ered', messageId: 'm@x', host: 'h', fromAddress: 'a@x', fileName: '../a' },
    attempt: 1,
    redelivered: false,
    section: '2',
    message: { uniqueId: 'u1', header: HEADER, octets: 10 },
    ...more,
  }
}

/** A connector that hands over these documents; those that are refused count as failed. */
function connectorWith(
  documents: readonly Document[],
  report: Partial<Report> = {},
): { make: MakeGetter; options: Options[]; operations: object[]; closed: number } {
  const seen = { options: [] as Options[], operations: [] as object[], closed: 0, make }
  function make(options: Options): Getter {
    seen.options.push(options)
    return {
      async get(operation, handler) {
        seen.operations.push(operation)
        let failed = 0
        for (const one of documents) {
          try {
            await handler(one)
          } catch {
            failed++
          }
        }
        return { ...REPORT, failed, ...report }
      },
      close() {
        seen.closed++
        return Promise.resolve()
      },
    }
  }
  return seen
}

const PASSWORD = { WIREPOST_PASSWORD: 'canary-123' }
const SERVER = 'pop3s://u@h.example'

test('writes documents and reports them as JSON lines with exactly these keys, in this order', async () => {
  const io = fakeIo({ env: PASSWORD })
  const connector = connectorWith([document('a.edi', streamOf(['one'])), document('a.edi', streamOf(['two']), { section: '3' })])
  expect(await getCommand([SERVER, '--out', out, '--json'], io, connector.make)).toBe(0)
  const tracked =
    '"tracked":{"fileName":"../a","fromAddress":"a@x","host":"h","messageId":"m@x","subject":"Hello \\u001b[31m\\u202ered","toAddress":"b@x","user":"u"}'
  expect(io.written.out.split('\n')).toEqual([
    `{"document":{"file":"a.edi","size":3,"sha256":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","contentType":"application/edifact","uniqueId":"u1","section":"2",${tracked}}}`,
    `{"document":{"file":"a-2.edi","size":3,"sha256":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","contentType":"application/edifact","uniqueId":"u1","section":"3",${tracked}}}`,
    '{"report":{"listed":3,"received":2,"documents":2,"skipped":1,"deleted":0,"unconfirmed":0,"failed":0,"quarantined":0}}',
    '',
  ])
  expect(await readFile(join(out, 'a.edi'), 'utf8')).toBe('one')
  expect(await readFile(join(out, 'a-2.edi'), 'utf8')).toBe('two')
  expect(io.written.err).toBe('')
  expect(connector.closed).toBe(1)
})

test('shows a table to people, with nothing of a stranger that moves a cursor (S25)', async () => {
  const io = fakeIo({ env: PASSWORD })
  await getCommand([SERVER, '--out', out], io, connectorWith([document('a.edi', streamOf(['one']))]).make)
  expect(io.written.out).toBe(
    `FILE                                 SIZE  TYPE                      FROM                          SUBJECT
a.edi                                 3 B  application/edifact       a@x                           Hello \\u{1b}[31m\\u{202e}red
2 documents from 2 messages of 3 in the mailbox, 1 skipped
`,
  )
})

test('what the options say reaches the connector', async () => {
  const io = fakeIo({ env: PASSWORD })
  const connector = connectorWith([])
  const args = `${SERVER}:1?minVersion=TLSv1 --from a@x --disposition all --delete --delete-empty --limit 7 --hand-over spool --timeout 5 --allow-clear-text-auth --accept-untrusted-certificate`
  await getCommand([...args.split(' '), '--out', out, '--state', join(out, 's')], io, connector.make)
  expect(connector.operations).toEqual([
    { fromAddress: 'a@x', disposition: 'all', deleteFromServer: true, deleteEmpty: true, handOver: 'spool', limit: { messages: 7 } },
  ])
  expect(connector.options).toMatchObject([
    {
      stateDirectory: join(out, 's'),
      inbound: {
        host: 'h.example',
        port: 1,
        security: 'tls',
        allowClearTextAuth: true,
        tls: { minVersion: 'TLSv1', acceptUntrustedCertificate: true },
        auth: { user: 'u' },
        timeouts: { connect: 5000, handshake: 5000, greeting: 5000, command: 5000, idle: 5000 },
      },
    },
  ])
})

test('without options: attachments, nothing deleted, state beside the documents', async () => {
  const connector = connectorWith([])
  await getCommand([SERVER, '--out', out], fakeIo({ env: PASSWORD }), connector.make)
  expect(connector.operations).toEqual([{ disposition: 'attachment', deleteFromServer: false, deleteEmpty: false, handOver: 'direct' }])
  expect(connector.options).toMatchObject([{ stateDirectory: join(out, '.wirepost'), inbound: { allowClearTextAuth: false } }])
})

test.each([
  ['failed', { failed: 1 }, 1],
  ['unconfirmed', { unconfirmed: 1 }, 1],
  ['quarantined', { quarantined: 1 }, 1],
  ['skipped and deleted', { skipped: 5, deleted: 5 }, 0],
])('messages that are %s decide the exit status', async (_name, report, status) => {
  expect(await getCommand([SERVER, '--out', out], fakeIo({ env: PASSWORD }), connectorWith([], report).make)).toBe(status)
})

test('a document that cannot be written is not accepted: one line says why, the next goes on, status 1', async () => {
  const io = fakeIo({ env: PASSWORD })
  const gone = document('a.edi', streamOf(['one']))
  const breaking: Document = {
    ...gone,
    content: (async function* () {
      await rm(out, { recursive: true })
      yield Buffer.from('x')
      await writeFile(out, 'in the way')
    })(),
  }
  expect(await getCommand([SERVER, '--out', out, '--json', '--quiet'], io, connectorWith([breaking]).make)).toBe(1)
  expect(io.written.err).toMatch(/^wirepost get: cannot write a\.edi to .*; its message stays on the server\n$/)
  expect(io.written.out).not.toContain('"document"')
})

test('a broken connection in a document leaves no file, and is left to the connector to tell', async () => {
  const io = fakeIo({ env: PASSWORD })
  await getCommand([SERVER, '--out', out], io, connectorWith([document('a', streamOf(['half', new Error('cut')]))]).make)
  expect(await readdir(out)).toEqual([])
  expect(io.written.err).toBe('')
})

test.each([
  ['no server', ['--out', 'x'], 'the server is missing; write it first, for example pop3s://mail.example.com'],
  ['two servers', [SERVER, SERVER, '--out', 'x'], 'get takes one server'],
  ['no folder', [SERVER], 'the folder for the documents is missing; give it as --out DIR'],
  ['no user', ['pop3s://h', '--out', 'x'], 'no user, and a POP3 mailbox needs one'],
  ['two users', [SERVER, '--user', 'v', '--out', 'x'], 'the URL names another user than --user'],
  ['--delete-empty alone', [SERVER, '--out', 'x', '--delete-empty'], '--delete-empty widens --delete; give both'],
  ['an unknown disposition', [SERVER, '--out', 'x', '--disposition', 'attachments'], 'did you mean attachment?'],
  ['a certificate without a key', [SERVER, '--out', 'x', '--cert', import.meta.filename], 'holds no certificate in PEM form'],
  ['no authority file', [SERVER, '--out', 'x', '--ca', '/nonexistent/ca.pem'], 'cannot read /nonexistent/ca.pem of --ca: it does not exist'],
  ['a timeout of 0', [SERVER, '--out', 'x', '--timeout', '0'], '--timeout is a whole number, at least 1'],
])('%s is wrong use, and nothing is connected', async (_name, args, message) => {
  const connector = connectorWith([])
  await expect(getCommand(args, fakeIo({ env: PASSWORD }), connector.make)).rejects.toMatchObject({
    status: 2,
    message: expect.stringContaining(message),
  })
  expect(connector.options).toEqual([])
})

test('the password is concealed in every form in which it travels', async () => {
  const io = fakeIo({ env: PASSWORD })
  await getCommand([SERVER, '--out', out], io, connectorWith([]).make)
  expect(io.secrets).toEqual(['canary-123', Buffer.from('canary-123').toString('base64'), Buffer.from('\0u\0canary-123').toString('base64')])
})

test('on a terminal a progress line is drawn and taken away again; --quiet draws none', async () => {
  const loud = fakeIo({ env: PASSWORD, columns: 200 })
  await getCommand([SERVER, '--out', out], loud, connectorWith([document('a', streamOf(['one']))]).make)
  const drawn = loud.written.err.split('\r\u001B[K')
  expect(drawn[1]).toMatch(/^1 message {2}0 documents .*B\/s$/)
  expect(drawn.at(-1)).toBe('')
  const quiet = fakeIo({ env: PASSWORD, columns: 200 })
  await getCommand([SERVER, '--out', out, '--quiet'], quiet, connectorWith([document('a', streamOf(['one']))]).make)
  expect(quiet.written.err).toBe('')
})
