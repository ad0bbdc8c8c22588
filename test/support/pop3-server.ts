import type { Connection } from './connection.ts'
import { listen } from './listener.ts'
import type { Maildrop, StoredMessage } from './maildrop.ts'
import { serveMessage } from './pop3-content.ts'
import type { ServerTls } from './server-tls.ts'

/** What a hook may do instead of the command: octets sent as they are instead of an answer, the end of the connection (FIN, RST), or nothing at all. */
export type Fault = 'drop' | 'reset' | 'stall' | { readonly send: string | Uint8Array }

export interface Pop3ServerOptions {
  readonly users: ReadonlyMap<string, Pop3User>
  /** Offers STLS on the clear port. Required by `port.tls`. */ readonly tls?: ServerTls | undefined
  /** Takes USER and PASS without TLS. @default true */ readonly clearTextAuth?: boolean | undefined
  /** @default true */ readonly pipelining?: boolean | undefined
  /** Lines of the CAPA answer beside what the other options say; `null`: CAPA is not known. */ readonly capabilities?:
    | readonly string[]
    | null
    | undefined
  /** Called before each command is carried out; what it gives is done instead, `undefined` goes on. */
  readonly onCommand?:
    | ((verb: string, args: readonly string[], session: Pop3Conversation) => Fault | undefined | Promise<Fault | undefined>)
    | undefined
  /** Called when this many octets of the answer to a RETR have been sent. */
  readonly onContent?: ((sent: number, session: Pop3Conversation) => Fault | undefined) | undefined
  /** @default '+OK wirepost test server' */ readonly greeting?: string | undefined
}

export interface Pop3User {
  readonly password: string
  readonly maildrop: Maildrop
}

export interface Pop3Server {
  readonly host: string
  /** Clear text with STLS. */ readonly port: number
  /** TLS from the start; 0 without `tls`. */ readonly tlsPort: number
  /** Those that are open. */ readonly connections: ReadonlySet<Connection>
  /** Every command that was received, passwords included. */ readonly commands: readonly string[]
  /** Ends all connections and settles when the ports are free. */ close(): Promise<void>
}

/** A small POP3 server (RFC 1939, 2449, 2595) on 127.0.0.1, for tests: one maildrop a user, faults by hooks. */
export async function startPop3Server(options: Pop3ServerOptions): Promise<Pop3Server> {
  const commands: string[] = []
  const serve = async (connection: Connection): Promise<void> => new Pop3Conversation(connection, options, commands).run()
  const clear = await listen(serve)
  const secure = options.tls === undefined ? undefined : await listen(serve, options.tls)
  return {
    host: '127.0.0.1',
    port: clear.port,
    tlsPort: secure?.port ?? 0,
    commands,
    get connections() {
      return new Set([...clear.connections, ...(secure?.connections ?? [])])
    },
    async close() {
      await clear.close()
      await secure?.close()
    },
  }
}

/** One client's session. Public because hooks see it. */
export class Pop3Conversation {
  readonly connection: Connection
  readonly #options: Pop3ServerOptions
  readonly #commands: string[]
  #userName = ''
  #user: Pop3User | undefined
  #messages: readonly StoredMessage[] = []
  readonly #deleted = new Set<StoredMessage>()

  constructor(connection: Connection, options: Pop3ServerOptions, commands: string[]) {
    this.connection = connection
    this.#options = options
    this.#commands = commands
  }

  /** The name that logged in, or `undefined` in the AUTHORIZATION state. */
  get user(): string | undefined {
    return this.#user === undefined ? undefined : this.#userName
  }

  async run(): Promise<void> {
    try {
      await this.#line(this.#options.greeting ?? '+OK wirepost test server')
      for (;;) {
        const line = await this.connection.readLine()
        if (line === null || !(await this.#obey(line))) return
      }
    } finally {
      this.#user?.maildrop.unlock()
      this.connection.end()
    }
  }

  /** Carries out one command; false ends the session. */
  async #obey(line: string): Promise<boolean> {
    this.#commands.push(line)
    const [word = '', ...args] = line.split(' ')
    const verb = word.toUpperCase()
    const fault = await this.#options.onCommand?.(verb, args, this)
    if (fault !== undefined) return this.#fail(fault)
    switch (verb) {
      case 'QUIT':
        await this.#quit()
        return false
      case 'CAPA':
        await this.#capabilities()
        return true
      case 'STLS':
        return this.#startTls()
      default:
        if (this.#user === undefined) await this.#authorization(verb, args, line)
        else return this.#transaction(this.#user, verb, args)
        return true
    }
  }

  async #fail(fault: Fault): Promise<boolean> {
    if (fault === 'drop') this.connection.end()
    else if (fault === 'reset') this.connection.reset()
    else if (fault === 'stall') await this.connection.left()
    else return this.connection.write(fault.send)
    return false
  }

  async #capabilities(): Promise<void> {
    const { capabilities = [], pipelining = true } = this.#options
    if (capabilities === null) return this.#line('-ERR not known')
    const lines = ['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', ...capabilities]
    if (pipelining) lines.push('PIPELINING')
    if (this.#clearTextAuth) lines.push('USER')
    if (this.#mayStartTls) lines.push('STLS')
    await this.connection.write(`+OK\r\n${lines.join('\r\n')}\r\n.\r\n`)
  }

  get #clearTextAuth(): boolean {
    return this.connection.secure || this.#options.clearTextAuth !== false
  }

  get #mayStartTls(): boolean {
    return this.#options.tls !== undefined && !this.connection.secure && this.#user === undefined
  }

  async #startTls(): Promise<boolean> {
    const { tls } = this.#options
    if (tls === undefined || !this.#mayStartTls) {
      await this.#line('-ERR no TLS here')
      return true
    }
    if (this.connection.unread > 0) return false // commands behind STLS (CVE-2011-0411 seen from this side)
    this.#userName = ''
    await this.connection.upgrade(tls, '+OK begin TLS\r\n')
    return true
  }

  async #authorization(verb: string, args: readonly string[], line: string): Promise<void> {
    if (!this.#clearTextAuth && (verb === 'USER' || verb === 'PASS')) return this.#line('-ERR [AUTH] TLS first')
    if (verb === 'USER' && args.length > 0) {
      this.#userName = args.join(' ')
      return this.#line('+OK')
    }
    if (verb !== 'PASS' || this.#userName === '') return this.#line('-ERR log in first')
    const user = this.#options.users.get(this.#userName)
    if (user === undefined || line.slice(5) !== Buffer.from(user.password).toString('latin1')) return this.#line('-ERR [AUTH] wrong user or password')
    if (!user.maildrop.lock()) return this.#line('-ERR [IN-USE] another session has the maildrop')
    this.#user = user
    this.#messages = [...user.maildrop.messages]
    await this.#line(`+OK ${this.#messages.length} messages`)
  }

  async #transaction(user: Pop3User, verb: string, args: readonly string[]): Promise<boolean> {
    switch (verb) {
      case 'STAT': {
        const present = this.#present()
        await this.#line(`+OK ${present.length} ${present.reduce((sum, [, message]) => sum + message.source.octets, 0)}`)
        return true
      }
      case 'LIST':
        await this.#listing(args, (message) => String(message.source.octets))
        return true
      case 'UIDL':
        await this.#listing(args, (message) => message.uniqueId)
        return true
      case 'RETR':
      case 'TOP':
        return this.#content(verb, args)
      case 'DELE': {
        const message = this.#message(args[0])
        if (message !== undefined) this.#deleted.add(message)
        await this.#line(message === undefined ? '-ERR no such message' : '+OK marked')
        return true
      }
      case 'RSET':
        this.#deleted.clear()
        await this.#line('+OK')
        return true
      case 'NOOP':
        await this.#line('+OK')
        return true
      case 'USER':
      case 'PASS':
        await this.#line(`-ERR ${user.maildrop.messages.length} messages, and you are logged in`)
        return true
      default:
        await this.#line('-ERR not known')
        return true
    }
  }

  async #content(verb: 'RETR' | 'TOP', args: readonly string[]): Promise<boolean> {
    const message = this.#message(args[0])
    const lines = verb === 'TOP' ? Number(args[1] ?? Number.NaN) : Number.POSITIVE_INFINITY
    if (message === undefined || Number.isNaN(lines)) {
      await this.#line('-ERR no such message')
      return true
    }
    await this.#line(`+OK ${message.source.octets} octets`)
    const hook = verb === 'RETR' ? this.#options.onContent : undefined
    const fault = await serveMessage(message.source, lines, this.connection, hook === undefined ? undefined : (sent) => hook(sent, this))
    return fault === undefined ? !this.connection.destroyed : this.#fail(fault)
  }

  async #listing(args: readonly string[], value: (message: StoredMessage) => string): Promise<void> {
    const [number] = args
    if (number !== undefined) {
      const message = this.#message(number)
      return this.#line(message === undefined ? '-ERR no such message' : `+OK ${number} ${value(message)}`)
    }
    await this.#line('+OK')
    let lines = ''
    for (const [present, message] of this.#present()) {
      lines += `${present} ${value(message)}\r\n`
      if (lines.length < 16_384) continue
      await this.connection.write(lines)
      lines = ''
    }
    await this.connection.write(`${lines}.\r\n`)
  }

  /** UPDATE state: only now are messages removed (RFC 1939 §6). */
  async #quit(): Promise<void> {
    await this.#user?.maildrop.remove(this.#deleted)
    await this.#line('+OK bye')
  }

  #present(): [number: number, message: StoredMessage][] {
    return this.#messages.map((message, index): [number, StoredMessage] => [index + 1, message]).filter(([, message]) => !this.#deleted.has(message))
  }

  #message(number: string | undefined): StoredMessage | undefined {
    const message = number !== undefined && /^\d+$/.test(number) ? this.#messages[Number(number) - 1] : undefined
    return message === undefined || this.#deleted.has(message) ? undefined : message
  }

  async #line(text: string): Promise<void> {
    await this.connection.write(`${text}\r\n`)
  }
}
