import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { readSource } from '../../support/maildrop.ts'
import { startMailServer, type MailServer, type MailServerOptions } from '../../support/mail-server.ts'

/** A client that knows no protocol: it says lines and gives what came back up to a mark. */
class Client {
  #socket: Socket | TLSSocket
  #text = ''

  constructor(socket: Socket | TLSSocket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
  }

  /** Sends a line and reads up to and including `mark`. */
  async say(line: string, mark = '\r\n'): Promise<string> {
    this.#socket.write(`${line}\r\n`, 'latin1')
    return this.until(mark)
  }

  async until(mark: string): Promise<string> {
    while (!this.#text.includes(mark)) {
      const [chunk]: unknown[] = await once(this.#socket, 'data')
      this.#text += String(chunk)
    }
    const end = this.#text.indexOf(mark) + mark.length
    const text = this.#text.slice(0, end)
    this.#text = this.#text.slice(end)
    return text
  }

  /** Says a line and reads an SMTP reply, whose last line has a space behind the status. */
  async ask(line: string): Promise<string> {
    let reply = await this.say(line)
    while (!/^\d{3} .*\r\n$/m.test(reply)) reply += await this.until('\r\n')
    return reply
  }

  async upgrade(ca: string): Promise<string> {
    const secure = connect({ socket: this.#socket, ca, host: 'localhost' })
    await once(secure, 'secureConnect')
    this.#socket = secure
    secure.setEncoding('latin1')
    return secure.getProtocol() ?? 'none'
  }

  end(): void {
    this.#socket.destroy()
  }
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function server(options: MailServerOptions = {}): Promise<MailServer> {
  const started = await startMailServer(options)
  ends.push(() => started.close())
  return started
}

async function client(port: number, ca?: string): Promise<Client> {
  const socket = ca === undefined ? connectTcp(port, '127.0.0.1') : connect({ port, host: '127.0.0.1', ca })
  await once(socket, ca === undefined ? 'connect' : 'secureConnect')
  const one = new Client(socket)
  ends.push(() => one.end())
  return one
}

async function login(port: number, ca?: string): Promise<Client> {
  const pop3 = await client(port, ca)
  await pop3.until('\r\n')
  expect(await pop3.say('USER u1')).toBe('+OK\r\n')
  expect(await pop3.say('PASS pw-1')).toMatch(/^\+OK/)
  return pop3
}

test('what SMTP takes over STARTTLS, POP3 gives over TLS, dots and all', async () => {
  const { smtp, pop3, ca, maildrop } = await server()
  const sender = await client(smtp.port)
  await sender.until('\r\n')
  await sender.ask('EHLO x')
  await sender.say('STARTTLS')
  expect(await sender.upgrade(ca)).toBe('TLSv1.3')
  expect(await sender.ask('EHLO x')).toMatch(/^250[ -]AUTH .*PLAIN/m)
  expect(await sender.say(`AUTH PLAIN ${Buffer.from('\0u1\0wrong').toString('base64')}`)).toMatch(/^535 /)
  expect(await sender.say(`AUTH PLAIN ${Buffer.from('\0u1\0pw-1').toString('base64')}`)).toMatch(/^235 /)
  await sender.say('MAIL FROM:<a@x.test>')
  expect(await sender.say('RCPT TO:<nobody@x.test>')).toMatch(/^550 /)
  expect(await sender.say('RCPT TO:<u1@example.test>')).toMatch(/^250 /)
  expect(await sender.say('DATA')).toMatch(/^354 /)
  expect(await sender.say('Subject: s\r\n\r\n..one\r\n.. two\r\n..\r\nend\r\n.')).toMatch(/^250 /)

  const receiver = await login(pop3.tlsPort, ca)
  const message = 'Subject: s\r\n\r\n.one\r\n. two\r\n.\r\nend\r\n'
  expect(await receiver.say('STAT')).toBe(`+OK 1 ${message.length}\r\n`)
  expect(await receiver.say('RETR 1', '\r\n.\r\n')).toBe(`+OK ${message.length} octets\r\nSubject: s\r\n\r\n..one\r\n.. two\r\n..\r\nend\r\n.\r\n`)
  expect(await receiver.say('TOP 1 0', '\r\n.\r\n')).toBe(`+OK ${message.length} octets\r\nSubject: s\r\n\r\n.\r\n`)
  expect(await receiver.say('TOP 1 1', '\r\n.\r\n')).toBe(`+OK ${message.length} octets\r\nSubject: s\r\n\r\n..one\r\n.\r\n`)
  expect(await receiver.say('UIDL 1')).toBe('+OK 1 m000001\r\n')
  expect(maildrop().messages).toHaveLength(1)
})

test('DELE counts after QUIT only, and RSET takes it back', async () => {
  const { pop3, maildrop } = await server()
  maildrop().add('A: 1\r\n\r\n', 'first')
  maildrop().add('B: 2\r\n\r\n', 'second')
  const one = await login(pop3.port)
  expect(await one.say('DELE 1')).toMatch(/^\+OK/)
  expect(await one.say('DELE 1')).toMatch(/^-ERR/)
  expect(await one.say('UIDL', '.\r\n')).toBe('+OK\r\n2 second\r\n.\r\n')
  expect(await one.say('RSET')).toMatch(/^\+OK/)
  expect(await one.say('LIST', '.\r\n')).toBe('+OK\r\n1 8\r\n2 8\r\n.\r\n')
  await one.say('DELE 2')
  expect(maildrop().messages).toHaveLength(2)
  expect(await one.say('QUIT')).toMatch(/^\+OK/)
  expect(maildrop().messages.map(({ uniqueId }) => uniqueId)).toEqual(['first'])
})

test('one session at a time has the maildrop, and a cut line gives it back', async () => {
  const { pop3, maildrop } = await server()
  maildrop().add('A: 1\r\n\r\n')
  const one = await login(pop3.port)
  await one.say('DELE 1')
  const two = await client(pop3.port)
  await two.until('\r\n')
  await two.say('USER u1')
  expect(await two.say('PASS pw-1')).toMatch(/^-ERR \[IN-USE\]/)
  one.end()
  while (!(await two.say('PASS pw-1')).startsWith('+OK')) await two.say('USER u1')
  expect(await two.say('STAT')).toBe('+OK 1 8\r\n')
})

test('STLS in place; commands pipelined behind it end the session', async () => {
  const { pop3, ca } = await server({ pop3: { clearTextAuth: false } })
  const one = await client(pop3.port)
  await one.until('\r\n')
  expect(await one.say('CAPA', '\r\n.\r\n')).not.toContain('USER')
  expect(await one.say('USER u1')).toMatch(/^-ERR/)
  expect(await one.say('STLS')).toMatch(/^\+OK/)
  await one.upgrade(ca)
  expect(await one.say('CAPA', '\r\n.\r\n')).not.toContain('STLS')
  expect(await one.say('USER u1')).toMatch(/^\+OK/)
  expect(await one.say('PASS wrong')).toMatch(/^-ERR \[AUTH\]/)
})

test('pipelined commands are answered in order, and hooks take the place of commands', async () => {
  const { pop3, maildrop } = await server({
    pop3: { onCommand: (verb) => (verb === 'NOOP' ? { send: '-ERR no\r\n' } : verb === 'RSET' ? 'reset' : undefined) },
  })
  maildrop().add('A: 1\r\n\r\nx') // without a line end
  const one = await login(pop3.port)
  expect(await one.say('NOOP\r\nRETR 1\r\nSTAT', '+OK 1 9\r\n')).toBe('-ERR no\r\n+OK 9 octets\r\nA: 1\r\n\r\nx\r\n.\r\n+OK 1 9\r\n')
  expect(pop3.commands.at(-1)).toBe('STAT')
  const gone = one.say('RSET')
  await expect(Promise.race([gone, once(new EventTarget(), 'never', { signal: AbortSignal.timeout(50) })])).rejects.toThrow()
})

test('a client that stops reading stops the server', async () => {
  const { pop3, maildrop } = await server()
  const block = Buffer.from(`${'x'.repeat(998)}\r\n`.repeat(64))
  maildrop().add({
    octets: block.length * 16_384,
    *open() {
      for (let count = 0; count < 16_384; count++) yield block
    },
  })
  const socket = connectTcp(pop3.port, '127.0.0.1')
  ends.push(() => socket.destroy())
  socket.write('USER u1\r\nPASS pw-1\r\nRETR 1\r\n')
  while (pop3.connections.size === 0) await new Promise(setImmediate)
  const [connection] = pop3.connections
  // It goes on while the buffers of the kernel fill, then it stands still.
  let before = -1
  for (let now = 0; now !== before; now = connection?.octetsOut ?? 0) {
    before = now
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
  expect(before).toBeGreaterThan(0)
  expect(before).toBeLessThan(32 * 1_048_576)
})

test('a large message goes to a file and comes back, and nothing of it stays', async () => {
  const { smtp, maildrop } = await server({ smtp: { authRequired: false } })
  const sender = await client(smtp.port)
  await sender.until('\r\n')
  await sender.ask('EHLO x')
  expect(await sender.say('MAIL FROM:<>')).toMatch(/^250 /)
  expect(await sender.say('RCPT TO:<u1@x.test>')).toMatch(/^250 /)
  expect(await sender.say('DATA')).toMatch(/^354 /)
  expect(await sender.say(`${`${'x'.repeat(70)}\r\n`.repeat(50_000)}.`)).toMatch(/^250 /)
  expect(smtp.deliveries).toMatchObject([{ from: '', to: ['u1@x.test'], octets: 72 * 50_000 }])
  const [stored] = maildrop().messages
  expect(stored === undefined ? 0 : (await readSource(stored.source)).length).toBe(72 * 50_000)
  await maildrop().clear()
  expect(maildrop().messages).toEqual([])
})
