import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sendCommand, type MakeSender, type Sender } from '../../../src/cli/send.ts'
import { MailError } from '../../../src/errors.ts'
import { fakeIo } from './fake-io.ts'

type Options = Parameters<MakeSender>[0]
type Operation = Parameters<Sender['send']>[0]
type Receipt = Awaited<ReturnType<Sender['send']>>[number]

interface Sent {
  readonly content: string
  readonly size: number | undefined
  readonly fileName: string | undefined
  readonly body: string | undefined
  readonly contentType: string | undefined
}

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wirepost-send-'))
  await writeFile(join(folder, 'a.edi'), 'one')
  await writeFile(join(folder, 'b.pdf'), 'two!')
  await writeFile(join(folder, 'empty'), '')
})
afterEach(() => rm(folder, { recursive: true }))

const RECEIPT: Receipt = {
  messageId: 'm1@x',
  outcome: 'accepted',
  recipients: [{ address: 'b@x', outcome: 'accepted', reply: { status: 250, enhancedStatus: '2.1.5', lines: ['2.1.5 ok'] } }],
  reply: { status: 250, enhancedStatus: '2.0.0', lines: ['2.0.0 queued'] },
  octets: 10,
  tracked: { user: 'u', toAddress: 'b@x', subject: '', messageId: 'm1@x', host: 'h', fromAddress: 'a@x', fileName: 'a.edi' },
}

function connectorWith(receipts: readonly (Partial<Receipt> | Error)[] = []): {
  make: MakeSender
  options: Options[]
  operations: Operation[]
  sent: Sent[]
} {
  const seen = { options: [] as Options[], operations: [] as Operation[], sent: [] as Sent[], make }
  function make(options: Options): Sender {
    seen.options.push(options)
    return {
      async send(operation, documents, { onReceipt } = {}) {
        seen.operations.push(operation)
        const list: Receipt[] = []
        for await (const { content, size, fileName, body, contentType } of documents) {
          let text = ''
          if (typeof content === 'object' && Symbol.asyncIterator in content) for await (const chunk of content) text += Buffer.from(chunk).toString()
          const receipt = receipts[seen.sent.length] ?? {}
          if (receipt instanceof Error) throw receipt
          seen.sent.push({ content: text, size, fileName, body, contentType })
          if (operation.together !== true || list.length === 0) await onReceipt?.({ ...RECEIPT, ...receipt })
          list.push({ ...RECEIPT, ...receipt })
        }
        return operation.together === true ? list.slice(0, 1) : list
      },
      close: () => Promise.resolve(),
    }
  }
  return seen
}

const ENV = { WIREPOST_PASSWORD: 'canary-123' }
const ENVELOPE = ['smtps://u@h.example', '--from', 'a@x', '--to', 'b@x']

test('sends each file as a document of its type, with its size and the last part of its name', async () => {
  const connector = connectorWith()
  const args = [...ENVELOPE, '--to', 'c@x', '--cc', 'd@x', '--bcc', 'e@x', '--subject', 'S', '--body', 'B', '--body-type', 'text/html']
  expect(
    await sendCommand([...args, join(folder, 'a.edi'), join(folder, 'b.pdf'), join(folder, 'empty')], fakeIo({ env: ENV }), connector.make),
  ).toBe(0)
  const operation = {
    from: 'a@x',
    to: 'b@x; c@x',
    cc: 'd@x',
    bcc: 'e@x',
    subject: 'S',
    disposition: 'attachment',
    bodyContentType: 'text/html',
    together: false,
  }
  expect(connector.operations).toEqual([operation])
  expect(connector.sent).toEqual([
    { content: 'one', size: 3, fileName: 'a.edi', body: 'B', contentType: 'application/edifact' },
    { content: 'two!', size: 4, fileName: 'b.pdf', body: 'B', contentType: 'application/pdf' },
    { content: '', size: 0, fileName: 'empty', body: 'B', contentType: undefined },
  ])
})

test('--type makes all files of one type; --together makes one message', async () => {
  const files = ['a.edi', 'b.pdf'].map((name) => join(folder, name))
  const [typed, together] = [connectorWith(), connectorWith()]
  await sendCommand([...ENVELOPE, ...files, '--type', 'text/csv'], fakeIo({ env: ENV }), typed.make)
  const io = fakeIo({ env: ENV })
  await sendCommand([...ENVELOPE, ...files, '--together', '--json'], io, together.make)
  expect(typed.sent.map(({ contentType }) => contentType)).toEqual(['text/csv', 'text/csv'])
  expect(together.operations).toMatchObject([{ together: true }])
  expect(io.written.out.split('\n')).toHaveLength(2)
  expect(io.written.out).toContain(`"file":${JSON.stringify(files.join('; '))}`)
})

test('«-» is standard input, without a name or a size', async () => {
  const connector = connectorWith()
  const io = fakeIo({ env: ENV, stdin: [Buffer.from('from '), Buffer.from('stdin')] })
  expect(await sendCommand([...ENVELOPE, '-'], io, connector.make)).toBe(0)
  expect(connector.sent).toEqual([{ content: 'from stdin', size: undefined, fileName: undefined, body: undefined, contentType: undefined }])
})

test('a receipt is a JSON line with exactly these keys, in this order', async () => {
  const io = fakeIo({ env: ENV })
  const reply = { status: 550, enhancedStatus: null, lines: ['no \u001B[2Jsuch', 'canary-123'] }
  const recipients: Receipt['recipients'] = [
    ...RECEIPT.recipients,
    { address: 'c@x', outcome: 'refused', reply },
    { address: 'd@x', outcome: 'deferred', reply: { status: 451, enhancedStatus: '4.3.0', lines: ['4.3.0 later'] } },
    { address: 'e@x', outcome: 'unknown', reply: null },
  ]
  expect(await sendCommand([...ENVELOPE, '--json', join(folder, 'a.edi')], io, connectorWith([{ outcome: 'partial', recipients }]).make)).toBe(1)
  expect(io.written.out).toBe(
    `{"receipt":{"messageId":"m1@x","file":${JSON.stringify(join(folder, 'a.edi'))},"outcome":"partial",` +
      '"accepted":[{"address":"b@x","status":250,"enhancedStatus":"2.1.5","text":"2.1.5 ok"}],' +
      '"deferred":[{"address":"d@x","status":451,"enhancedStatus":"4.3.0","text":"4.3.0 later"}],' +
      '"refused":[{"address":"c@x","status":550,"enhancedStatus":null,"text":"no \\u001b[2Jsuch ***"}],' +
      '"unknown":[{"address":"e@x","status":null,"enhancedStatus":null,"text":null}],' +
      '"reply":{"status":250,"enhancedStatus":"2.0.0","lines":["2.0.0 queued"]},' +
      '"tracked":{"fileName":"a.edi","fromAddress":"a@x","host":"h","messageId":"m1@x","subject":"","toAddress":"b@x","user":"u"}}}\n',
  )
})

test('people get a line a message, and one for each recipient it did not reach', async () => {
  const io = fakeIo({ env: ENV })
  const recipients: Receipt['recipients'] = [
    { address: 'c@x', outcome: 'refused', reply: { status: 550, enhancedStatus: null, lines: ['no \u001B[2Jsuch'] } },
  ]
  expect(await sendCommand([...ENVELOPE, join(folder, 'a.edi')], io, connectorWith([{ outcome: 'refused', recipients }]).make)).toBe(1)
  expect(io.written.out).toMatch(
    /^OUTCOME .*\nrefused .*a\.edi +0 of 1 +m1@x\n {2}c@x refused: 550 no \\u\{1b\}\[2Jsuch\n0 of 1 message delivered\n$/,
  )
})

test.each(['partial', 'deferred', 'refused', 'unknown'] as const)('a message that is %s gives status 1', async (outcome) => {
  expect(await sendCommand([...ENVELOPE, join(folder, 'a.edi')], fakeIo({ env: ENV }), connectorWith([{ outcome }]).make)).toBe(1)
})

test('no connection at all rejects as it is; after the first receipt it is status 1', async () => {
  const refused = new MailError('ERR_CONNECT', 'cannot connect', { phase: 'connect' })
  const files = [join(folder, 'a.edi'), join(folder, 'b.pdf')]
  await expect(sendCommand([...ENVELOPE, ...files], fakeIo({ env: ENV }), connectorWith([refused]).make)).rejects.toBe(refused)
  await expect(sendCommand([...ENVELOPE, ...files], fakeIo({ env: ENV }), connectorWith([{}, refused]).make)).rejects.toMatchObject({ status: 1 })
})

test('without a user nobody logs in and no password is asked for', async () => {
  const connector = connectorWith()
  await sendCommand(['smtp://h?security=none', '--from', 'a@x', '--to', 'b@x', join(folder, 'a.edi')], fakeIo(), connector.make)
  expect(connector.options).toMatchObject([{ outbound: { host: 'h', port: 25, security: 'none', auth: undefined } }])
})

test.each([
  ['no From', ['smtps://h', '--to', 'b@x', 'FILE'], 'From address is missing; give it as --from ADDRESS'],
  ['a blank From', ['smtps://h', '--from', ' ', '--to', 'b@x', 'FILE'], 'From address is missing'],
  ['no To', ['smtps://h', '--from', 'a@x', 'FILE'], "To address is missing; give it as --to 'ADDRESS; ADDRESS'"],
  ['no file', ['smtps://h', '--from', 'a@x', '--to', 'b@x'], 'nothing to send; name a FILE'],
  ['no server', ['--from', 'a@x', '--to', 'b@x'], 'the server is missing; write it first, for example smtps://mail.example.com'],
  [
    'a file in place of the server',
    ['FILE', '--from', 'a@x', '--to', 'b@x', 'FILE'],
    'the server is written as a URL, for example smtps://mail.example.com',
  ],
  ['a file that is not there', [...ENVELOPE, '/nonexistent/x'], 'cannot read /nonexistent/x: it does not exist'],
  ['a folder', [...ENVELOPE, tmpdir()], 'it is a folder; name files'],
  ['standard input twice', [...ENVELOPE, '-', '-'], 'standard input («-») can be sent once'],
  ['a POP3 server', ['pop3s://h', '--from', 'a@x', '--to', 'b@x', 'FILE'], 'mail is sent with SMTP: write smtps:// in place of pop3s://'],
  ['a body of the body', [...ENVELOPE, '--disposition', 'inline', '--body', 'x', 'FILE'], '--body goes with --disposition attachment'],
  ['a password without a user', ['smtps://h', '--from', 'a@x', '--to', 'b@x', '--password-env', 'X', 'FILE'], 'a password without a user'],
])('%s is wrong use, and nothing is connected', async (_name, args, message) => {
  const connector = connectorWith()
  const given = args.map((arg) => (arg === 'FILE' ? join(folder, 'a.edi') : arg))
  await expect(sendCommand(given, fakeIo({ env: ENV }), connector.make)).rejects.toMatchObject({
    status: 2,
    message: expect.stringContaining(message),
  })
  expect(connector.options).toEqual([])
})

test('a file is read anew by whoever asks anew, and closed by whoever stops early', async () => {
  const texts: string[] = []
  const make: MakeSender = () => ({
    async send(_operation, documents) {
      for await (const { content } of documents) {
        if (typeof content !== 'object' || !(Symbol.asyncIterator in content)) continue
        for await (const chunk of content) {
          texts.push(Buffer.from(chunk).toString())
          break
        }
        for await (const chunk of content) texts.push(Buffer.from(chunk).toString())
      }
      return []
    },
    close: () => Promise.resolve(),
  })
  await sendCommand([...ENVELOPE, join(folder, 'a.edi')], fakeIo({ env: ENV }), make)
  expect(texts).toEqual(['one', 'one'])
})
