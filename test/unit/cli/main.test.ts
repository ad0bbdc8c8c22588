import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startMailServer, type MailServer, type MailServerOptions } from '../../support/mail-server.ts'

/** The command in a process of its own, as people run it, against real sockets on loopback. */
const COMMAND = join(import.meta.dirname, '../../../dist/cli/main.js')
const PASSWORD = 'canary-7f3a91'

interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

interface Started {
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
}

function start(args: readonly string[], { password = PASSWORD, input = '' }: { password?: string; input?: string } = {}): Started {
  const env = { PATH: process.env['PATH'], WIREPOST_PASSWORD: password }
  const child = spawn(process.execPath, [COMMAND, ...args], { env, stdio: 'pipe' })
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text))
  child.stdin.on('error', () => undefined).end(input)
  return { ended: new Promise((resolve) => child.on('close', (status) => resolve({ status, ...texts }))), kill: (signal) => child.kill(signal) }
}

function run(args: readonly string[], more?: { password?: string; input?: string }): Promise<Ended> {
  return start(args, more).ended
}

let folder = ''
let server: MailServer | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wirepost-command-'))
})
afterEach(async () => {
  await server?.close()
  server = undefined
  await rm(folder, { recursive: true, force: true })
})

interface Reached {
  readonly server: MailServer
  readonly ca: string
  readonly pop3s: string
  readonly pop3: string
  readonly smtps: string
  readonly smtp: string
}

async function reach(options: MailServerOptions = {}): Promise<Reached> {
  const mail = await startMailServer({ users: { u1: PASSWORD }, ...options })
  server = mail
  const ca = join(folder, 'ca.pem')
  await writeFile(ca, mail.ca)
  return {
    server: mail,
    ca,
    pop3s: `pop3s://u1@127.0.0.1:${mail.pop3.tlsPort}`,
    pop3: `pop3://u1@127.0.0.1:${mail.pop3.port}`,
    smtps: `smtps://u1@127.0.0.1:${mail.smtp.tlsPort}`,
    smtp: `smtp://u1@127.0.0.1:${mail.smtp.port}`,
  }
}

function sha256(octets: Buffer | string): string {
  return createHash('sha256').update(octets).digest('hex')
}

function jsonLines(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))
}

test('without arguments and with --help: help; --version: the version of the package', async () => {
  const [bare, help, version, get] = await Promise.all([run([]), run(['--help']), run(['--version']), run(['get', '--help'])])
  expect(bare).toMatchObject({ status: 0, err: '', out: expect.stringContaining('wirepost get SERVER --out DIR') })
  expect(help).toEqual(bare)
  expect(version).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  expect(get).toMatchObject({ status: 0, err: '', out: expect.stringContaining('--hand-over HOW') })
})

test('what is sent is got, octet for octet, once, and gone when it is to be deleted', async () => {
  const { ca, pop3s, pop3, smtps, smtp, server: mail } = await reach()
  const [text, picture] = ["UNA:+.? '\rUNB+x\n..\n", randomBytes(200_000)]
  await writeFile(join(folder, 'order.edi'), text)
  await writeFile(join(folder, 'pic.png'), picture)
  const envelope = ['--from', 'a@example.com', '--to', 'u1@example.com', '--subject', 'Grüße', '--ca', ca]
  const sent = await run(['send', smtps, ...envelope, '--json', join(folder, 'order.edi'), join(folder, 'pic.png')])
  expect(sent).toMatchObject({ status: 0, err: '' })
  const piped = await run(['send', smtp, ...envelope, '--disposition', 'inline', '-'], { input: 'from stdin' })
  expect(piped).toMatchObject({ status: 0, err: '', out: expect.stringContaining('1 of 1 message delivered') })
  expect(jsonLines(sent.out)).toMatchObject([
    { receipt: { file: join(folder, 'order.edi'), outcome: 'accepted', accepted: [{ address: 'u1@example.com', status: 250 }] } },
    { receipt: { file: join(folder, 'pic.png'), tracked: { fileName: 'pic.png', subject: 'Grüße' } } },
  ])

  const out = join(folder, 'inbox')
  const got = await run(['get', pop3s, '--out', out, '--ca', ca, '--disposition', 'all', '--json'])
  expect(got).toMatchObject({ status: 0, err: '' })
  const inline = sha256('from stdin')
  expect(jsonLines(got.out)).toMatchObject([
    { document: { file: 'order.edi', size: text.length, sha256: sha256(text), contentType: 'application/edifact', tracked: { user: 'u1' } } },
    { document: { file: 'pic.png', size: 200_000, sha256: sha256(picture), contentType: 'image/png' } },
    { document: { size: 10, sha256: inline, contentType: 'text/plain' } },
    { report: { listed: 3, received: 3, documents: 3, skipped: 0, deleted: 0, unconfirmed: 0, failed: 0, quarantined: 0 } },
  ])
  expect(await readFile(join(out, 'pic.png'))).toEqual(picture)

  const again = await run(['get', pop3s, '--out', out, '--ca', ca, '--disposition', 'all', '--json', '--delete'])
  expect(jsonLines(again.out)).toEqual([
    { report: { listed: 3, received: 0, documents: 0, skipped: 0, deleted: 3, unconfirmed: 0, failed: 0, quarantined: 0 } },
  ])
  expect(mail.maildrop().messages).toHaveLength(0)
  expect(await run(['get', pop3, '--out', out, '--ca', ca, '--quiet'])).toEqual({
    status: 0,
    err: '',
    out: '0 documents from 0 messages of 0 in the mailbox\n',
  })
})

test('test goes stage by stage over TLS and STLS, on both protocols', async () => {
  const { ca, pop3s, smtp } = await reach()
  const [one, two] = await Promise.all([run(['test', pop3s, '--ca', ca]), run(['test', smtp, '--ca', ca, '--json'])])
  expect(one.status).toBe(0)
  expect(one.out).toMatch(
    /^ok +name\nok +connect\nok +tls +TLSv1\.3, .*\nok +greeting .*\nok +capabilities .*\nok +login +as u1\nok +mailbox +0 messages, 0 B\n$/,
  )
  expect(jsonLines(two.out)).toMatchObject(
    ['name', 'connect', 'greeting', 'capabilities', 'tls', 'login'].map((name) => ({ stage: { name, ok: true } })),
  )
})

/** One line that ends the matter: no stack, no secret. */
function expectOneLine({ err }: Ended): void {
  expect(err).toMatch(/^wirepost(?: \w+)?: [^\n]+\n$/)
  expect(err).not.toMatch(/ at .*[.]js:|canary/)
}

test.each<[string, (at: Reached) => readonly string[], number, string, string?]>([
  ['a wrong password (POP3)', ({ pop3s, ca }) => ['get', pop3s, '--out', 'OUT', '--ca', ca], 3, 'check the user and the password', 'canary-wrong'],
  [
    'a wrong password (SMTP)',
    ({ smtps, ca }) => ['send', smtps, '--ca', ca, '--from', 'a@x.example', '--to', 'b@x.example', '-'],
    3,
    'check the user and the password',
    'canary-wrong',
  ],
  ['an unknown host', () => ['get', 'pop3s://u1@no-such-host.invalid', '--out', 'OUT'], 3, 'no-such-host.invalid is not known'],
  ['a closed port', () => ['get', 'pop3s://u1@127.0.0.1:1', '--out', 'OUT'], 3, 'check host and port'],
  ['an untrusted certificate', ({ pop3s }) => ['get', pop3s, '--out', 'OUT'], 3, 'name it with --ca FILE'],
  [
    'a TLS version that is not offered',
    ({ pop3s, ca }) => ['get', `${pop3s}?minVersion=TLSv1&maxVersion=TLSv1.1`, '--out', 'OUT', '--ca', ca],
    3,
    'no TLS version in common',
  ],
  ['TLS where there is none', ({ pop3, ca }) => ['get', pop3.replace('pop3:', 'pop3s:'), '--out', 'OUT', '--ca', ca], 3, 'does not speak TLS'],
  ['a password in clear text', ({ pop3 }) => ['get', `${pop3}?security=none`, '--out', 'OUT'], 3, '--allow-clear-text-auth'],
  ['a bad option', ({ pop3s }) => ['get', pop3s, '--out', 'OUT', '--delet'], 2, 'did you mean --delete?'],
  ['a bad subcommand', () => ['gte'], 2, 'did you mean get?'],
  ['a missing From', ({ smtps }) => ['send', smtps, '--to', 'b@x.example', '-'], 2, 'From address is missing'],
  ['a missing To', ({ smtps }) => ['send', smtps, '--from', 'b@x.example', '-'], 2, 'To address is missing'],
  ['an address that is none', ({ smtps, ca }) => ['send', smtps, '--ca', ca, '--from', 'a@x.example', '--to', 'nobody', '-'], 2, 'nobody'],
  [
    'a media type that is none',
    ({ smtps, ca }) => ['send', smtps, '--ca', ca, '--from', 'a@x.example', '--to', 'b@x.example', '--type', 'x', '-'],
    2,
    '--type must be a media type',
  ],
  [
    'a file that is not there',
    ({ smtps }) => ['send', smtps, '--from', 'a@x.example', '--to', 'b@x.example', '/nonexistent/x'],
    2,
    'it does not exist',
  ],
  ['a file as the state directory', ({ pop3s, ca }) => ['get', pop3s, '--out', 'OUT', '--ca', ca, '--state', ca], 2, '--state DIR'],
  ['a file above the state directory', ({ pop3s, ca }) => ['get', pop3s, '--out', 'OUT', '--ca', ca, '--state', join(ca, 'x')], 2, '--state DIR'],
  ['a password in the URL', ({ pop3s }) => ['get', pop3s.replace('u1@', `u1:${PASSWORD}@`), '--out', 'OUT'], 2, 'a password in the server URL'],
  ['a password as an option', ({ pop3s }) => ['get', pop3s, '--out', 'OUT', '--password', PASSWORD], 2, 'a password on the command line'],
])('%s: one line that says what to do, and its exit status', async (_name, argsOf, status, message, password) => {
  const at = await reach()
  const args = argsOf(at).map((arg) => (arg === 'OUT' ? join(folder, 'inbox') : arg))
  const ended = await run(args, password === undefined ? {} : { password })
  expectOneLine(ended)
  expect(ended.err).toContain(message)
  expect(ended).toMatchObject({ status, out: '' })
})

test.runIf(process.platform !== 'win32' && process.getuid?.() !== 0)('a state directory without permission is status 2', async () => {
  const { pop3s, ca } = await reach()
  const locked = join(folder, 'locked')
  await mkdir(locked)
  await chmod(locked, 0o500)
  const ended = await run(['get', pop3s, '--ca', ca, '--out', join(folder, 'inbox'), '--state', join(locked, 'state')])
  expectOneLine(ended)
  expect(ended.status).toBe(2)
})

test('what is refused before anything was sent names no step that was not taken', async () => {
  const ended = await run(['test', 'pop3://u1@127.0.0.1:1?security=none'])
  expect(
    ended.out
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/).slice(0, 2)),
  ).toEqual([['FAILED', 'login']])
  expect(ended).toMatchObject({ status: 3, err: expect.stringContaining('--allow-clear-text-auth') })
})

test('a server that sends the password back, in any form, does not get it shown, also with --trace (S24)', async () => {
  const plain = Buffer.from(`\0u1\0${PASSWORD}`).toString('base64')
  const { pop3, smtps, ca } = await reach({
    pop3: { onCommand: (verb, args) => (verb === 'PASS' ? { send: `-ERR \u001B[31mnot ${args.join(' ')} ${plain}\u202E\r\n` } : undefined) },
  })
  const ended = await Promise.all([
    run(['get', pop3, '--ca', ca, '--out', join(folder, 'inbox'), '--trace']),
    run(['test', pop3, '--ca', ca, '--trace', '--json']),
    run(['send', smtps, '--ca', ca, '--from', 'a@x.example', '--to', 'b@x.example', '--trace', '-'], { password: 'canary-wrong' }),
  ])
  for (const { status, out, err } of ended) {
    expect(status).toBe(3)
    expect(out + err).not.toMatch(/canary|[\u202E]/)
    for (const secret of [PASSWORD, 'canary-wrong', 'u1']) {
      const forms = [Buffer.from(`\0u1\0${secret}`).toString('base64'), ...(secret === 'u1' ? [] : [Buffer.from(secret).toString('base64')])]
      for (const form of forms) expect(out + err).not.toContain(form)
    }
  }
  expect(ended[0]?.err).toContain('C: PASS ***')
})

test('SIGINT ends in order with 130: what was accepted stays, the rest is still there', async () => {
  let retrieved = 0
  let reached: (() => void) | undefined
  const stalled = new Promise<void>((resolve) => (reached = resolve))
  const {
    pop3s,
    ca,
    server: mail,
  } = await reach({
    pop3: {
      // In the second message, of which the first octets are there.
      onContent: () => {
        retrieved++
        if (retrieved < 2) return undefined
        reached?.()
        return 'stall'
      },
    },
  })
  for (const name of ['a.txt', 'b.txt']) mail.maildrop().add(`From: a@x.example\r\nContent-Disposition: attachment; filename=${name}\r\n\r\n${name}`)
  const out = join(folder, 'inbox')
  const command = start(['get', pop3s, '--ca', ca, '--out', out, '--json', '--delete'])
  await stalled
  command.kill('SIGINT')
  // A server that stays silent would be waited for as long as QUIT may take.
  for (const connection of mail.pop3.connections) connection.destroy()
  const ended = await command.ended
  expect(ended.status).toBe(130)
  expect(ended.err).not.toMatch(/Interrupted| at /)
  // Behind it may stand the report, when the end of the connection was seen before the signal.
  expect(jsonLines(ended.out)[0]).toMatchObject({ document: { file: 'a.txt' } })
  expect(ended.out).not.toContain('b.txt')
  expect((await readdir(out)).toSorted()).toEqual(['.wirepost', 'a.txt'])
})

test('a second SIGINT waits for nobody', async () => {
  let reached: (() => void) | undefined
  const stalled = new Promise<void>((resolve) => (reached = resolve))
  const { pop3s, ca } = await reach({
    pop3: {
      onCommand(verb) {
        if (verb !== 'STAT') return undefined
        reached?.()
        return 'stall'
      },
    },
  })
  const command = start(['get', pop3s, '--ca', ca, '--out', join(folder, 'inbox')])
  await stalled
  command.kill('SIGINT')
  command.kill('SIGINT')
  expect((await command.ended).status).toBe(130)
})

test('whoever stops reading the results is not complained to, and what was not told comes again', async () => {
  const { pop3s, ca, server: mail } = await reach()
  for (const name of ['a.txt', 'b.txt']) mail.maildrop().add(`From: a@x.example\r\nContent-Disposition: attachment; filename=${name}\r\n\r\n${name}`)
  const out = join(folder, 'inbox')
  const args = ['get', pop3s, '--ca', ca, '--out', out, '--json']
  const child = spawn(process.execPath, [COMMAND, ...args], {
    env: { PATH: process.env['PATH'], WIREPOST_PASSWORD: PASSWORD },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const status = await new Promise((resolve) => child.on('close', resolve))
  expect({ status, err }).toEqual({ status: 1, err: '' })
  const again = await run(args)
  expect(jsonLines(again.out)).toMatchObject([{ document: { file: 'a.txt' } }, { document: { file: 'b.txt' } }, { report: { documents: 2 } }])
})

test('a recipient that is refused is status 1, and its receipt says why', async () => {
  const { smtps, ca } = await reach({
    smtp: { more: { onRcptTo: ({ address }, _session, callback) => callback(address.startsWith('no') ? new Error('no such user') : undefined) } },
  })
  const args = ['send', smtps, '--ca', ca, '--from', 'a@x.example', '--to', 'u1@x.example; no@x.example', '--json', '-']
  const ended = await run(args, { input: 'x' })
  expect(ended.status).toBe(1)
  expect(jsonLines(ended.out)).toMatchObject([
    {
      receipt: {
        outcome: 'partial',
        accepted: [{ address: 'u1@x.example' }],
        refused: [{ address: 'no@x.example', status: 550, text: expect.stringContaining('no such user') }],
      },
    },
  ])
})
