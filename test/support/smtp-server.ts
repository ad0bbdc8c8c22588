import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { portOf } from './listener.ts'
import { fileSource, octetsSource, type Maildrop, type MessageSource } from './maildrop.ts'
import { serverTls, type ServerTls } from './server-tls.ts'

export interface SmtpServerOptions {
  readonly users: ReadonlyMap<string, SmtpUser>
  /** Offers STARTTLS on the clear port; for TLS from the start there is a second one. */ readonly tls?: ServerTls | undefined
  /** AUTH without TLS. @default true */ readonly clearTextAuth?: boolean | undefined
  /** Mail only after AUTH. @default true */ readonly authRequired?: boolean | undefined
  /** What else smtp-server can do. */ readonly more?: SMTPServerOptions | undefined
}

export interface SmtpUser {
  readonly password: string
  readonly maildrop: Maildrop
}

/** A message as it came: its envelope, and its unique-ids by user. */
export interface Delivery {
  readonly from: string
  readonly to: readonly string[]
  readonly octets: number
  readonly uniqueIds: ReadonlyMap<string, string>
}

export interface SmtpServer {
  readonly host: string
  /** Clear text with STARTTLS. */ readonly port: number
  /** TLS from the start; 0 without `tls`. */ readonly tlsPort: number
  readonly deliveries: readonly Delivery[]
  close(): Promise<void>
}

/** Longer messages go to a file, so that the size of a message does not matter. */
const IN_MEMORY_OCTETS = 1_048_576

/** An SMTP server (the package smtp-server) on 127.0.0.1 that delivers into maildrops. A recipient is `user` or `user@any.domain`; others get 550. */
export async function startSmtpServer(options: SmtpServerOptions): Promise<SmtpServer> {
  const deliveries: Delivery[] = []
  const folder = await mkdtemp(join(tmpdir(), 'wirepost-smtp-'))
  const spool = new Spool(folder)
  const make = (secure: boolean): SMTPServer => new SMTPServer(settings(options, secure, spool, deliveries))
  const servers = [make(false), ...(options.tls === undefined ? [] : [make(true)])]
  const ports = await Promise.all(servers.map(listening))
  return {
    host: '127.0.0.1',
    port: ports[0] ?? 0,
    tlsPort: ports[1] ?? 0,
    deliveries,
    async close() {
      await Promise.all(servers.map(stop))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function settings(options: SmtpServerOptions, secure: boolean, spool: Spool, deliveries: Delivery[]): SMTPServerOptions {
  const userOf = (address: string): string | undefined => {
    const name = [address, address.replace(/@[^@]*$/, '')].find((one) => options.users.has(one))
    return name
  }
  return {
    ...(options.tls === undefined ? {} : serverTls(options.tls)),
    secure,
    name: 'localhost',
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 200,
    authOptional: options.authRequired === false,
    allowInsecureAuth: options.clearTextAuth !== false,
    disabledCommands: options.tls === undefined ? ['STARTTLS'] : [],
    onAuth(auth, _session, callback) {
      const user = options.users.get(auth.username ?? '')
      if (user === undefined || user.password !== auth.password) callback(reply(535, '5.7.8 wrong user or password'))
      else callback(null, { user: auth.username })
    },
    onRcptTo({ address }, _session, callback) {
      callback(userOf(address) === undefined ? reply(550, '5.1.1 no such mailbox') : null)
    },
    onData(stream, session, callback) {
      const { mailFrom, rcptTo } = session.envelope
      const to = rcptTo.map(({ address }) => address)
      const users = new Set(to.map(userOf).filter((name) => name !== undefined))
      const deliver = async (): Promise<Error | null> => {
        try {
          const source = await spool.take(stream, users.size)
          const uniqueIds = new Map<string, string>()
          for (const name of users) uniqueIds.set(name, options.users.get(name)?.maildrop.add(source) ?? '')
          deliveries.push({ from: mailFrom === false ? '' : mailFrom.address, to, octets: source.octets, uniqueIds })
          return null
        } catch (error) {
          return reply(451, `4.3.0 ${String(error)}`)
        }
      }
      void answer(deliver(), callback)
    },
    ...options.more,
  }
}

async function answer(delivered: Promise<Error | null>, callback: (error: Error | null, message?: string) => void): Promise<void> {
  callback(await delivered, '2.0.0 taken')
}

function reply(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode })
}

async function listening(server: SMTPServer): Promise<number> {
  // Clients that break off are part of many tests.
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return portOf(server.server)
}

async function stop(server: SMTPServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}

/** Where messages are while they are in the maildrops. */
class Spool {
  readonly #folder: string
  #files = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Reads a message to its end, at bounded memory. */
  async take(stream: AsyncIterable<Buffer>, holders: number): Promise<MessageSource> {
    const chunks: Buffer[] = []
    let octets = 0
    const iterator = stream[Symbol.asyncIterator]()
    for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) {
      chunks.push(step.value)
      octets += step.value.length
      if (octets > IN_MEMORY_OCTETS) return this.#toFile(chunks, iterator, holders)
    }
    return octetsSource(Buffer.concat(chunks))
  }

  async #toFile(chunks: Buffer[], rest: AsyncIterator<Buffer>, holders: number): Promise<MessageSource> {
    const path = join(this.#folder, String(++this.#files))
    await pipeline(async function* all() {
      yield* chunks
      for (let step = await rest.next(); step.done !== true; step = await rest.next()) yield step.value
    }, createWriteStream(path))
    const file = await fileSource(path)
    let left = holders
    return {
      ...file,
      async discard() {
        left--
        if (left === 0) await file.discard?.()
      },
    }
  }
}
