import { readFile } from 'node:fs/promises'
import { printable } from '../bytes.ts'
import type { ServerOptions } from '../tls/index.ts'
import type { Arguments, Option } from './arguments.ts'
import { CommandError } from './failure.ts'
import { fileTrouble } from './file-trouble.ts'
import type { Io } from './io.ts'
import { readPassword } from './password.ts'
import { parseServerUrl, type Protocol } from './server-url.ts'
import { traceDialogue } from './trace.ts'

/** The options that every subcommand with a connection takes. */
export const CONNECTION_OPTIONS: Readonly<Record<string, Option>> = {
  user: { heading: 'Connection', value: 'NAME', help: 'the user to log in as, when the URL does not name it' },
  'password-env': { value: 'NAME', help: 'read the password from this environment variable', defaultsTo: 'WIREPOST_PASSWORD' },
  'password-file': { value: 'FILE', help: 'read the password from this file; one line end at its end does not count' },
  ca: { value: 'FILE', help: 'certificates in PEM form to trust beside those of Node' },
  cert: { value: 'FILE', help: 'client certificate in PEM form, with its chain' },
  key: { value: 'FILE', help: 'key of the client certificate in PEM form' },
  'allow-clear-text-auth': { help: 'let the password leave on a connection without TLS' },
  'accept-untrusted-certificate': { help: 'trust whoever answers: for trying only' },
  timeout: {
    value: 'SECONDS',
    help: 'for connect, handshake, greeting, each command, and silence within an answer',
    defaultsTo: '30, 30, 300, 60 or 300, and 60',
  },
  trace: { help: 'show the dialogue with the server and the whole log on standard error, secrets replaced' },
  quiet: { help: 'no progress and no log, only errors' },
}

/** How the help of each subcommand explains a server. */
export const SERVER_NOTES = `SERVER is a URL: pop3s:// (port 995) and smtps:// (465) with TLS from the start, pop3:// (110) and smtp:// (587) with STLS or STARTTLS required. \
A user with «@» is written %40 or given as --user. ?security=none is clear text (110 and 25); ?minVersion=TLSv1&maxVersion=TLSv1.2 chooses TLS versions (default TLSv1.2 to TLSv1.3).
The password comes from WIREPOST_PASSWORD, --password-env, --password-file or a question on the terminal, never from the command line.
Exit status: 0 done, 1 something was not delivered or not accepted or a connection was lost, 2 wrong use or an unreadable file, 3 the server could not be reached, trusted or logged in to, 130 interrupted.`

export interface Connection {
  readonly protocol: Protocol
  readonly options: ServerOptions
  readonly user: string | undefined
  /** Text that a server wrote, without the password. */
  readonly redact: (text: string) => string
  /** Ends the trace. */
  close(): void
}

/** Everything about the connection that the command line, files and people say. Reads no socket. Throws `CommandError`. */
export async function readConnection(args: Arguments, io: Io, server: string | undefined, wanted?: Protocol): Promise<Connection> {
  if (server === undefined) throw new CommandError(`the server is missing; write it first, for example ${wanted ?? 'pop3'}s://mail.example.com`)
  const url = parseServerUrl(server, wanted)
  const user = chooseUser(args, url.user, url.protocol)
  const timeoutMs = milliseconds(args)
  const tls = {
    minVersion: url.minVersion,
    maxVersion: url.maxVersion,
    ca: await pem(args, 'ca'),
    cert: await pem(args, 'cert'),
    key: await pem(args, 'key'),
    acceptUntrustedCertificate: args.has('accept-untrusted-certificate'),
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) throw new CommandError('--cert and --key belong together; give both')
  const password = user === undefined ? undefined : await readPassword(args, io, printable(user, 100), printable(url.host, 100))
  const secrets = password === undefined || user === undefined ? [] : formsOf(user, password)
  io.conceal(secrets)
  return {
    protocol: url.protocol,
    user,
    redact: (text) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text),
    options: {
      host: url.host,
      port: url.port,
      security: url.security,
      allowClearTextAuth: args.has('allow-clear-text-auth'),
      tls,
      auth: user === undefined || password === undefined ? undefined : { user, password: () => password },
      timeouts:
        timeoutMs === undefined ? undefined : { connect: timeoutMs, handshake: timeoutMs, greeting: timeoutMs, command: timeoutMs, idle: timeoutMs },
    },
    close: args.has('trace') ? traceDialogue(io) : () => undefined,
  }
}

function chooseUser(args: Arguments, fromUrl: string | undefined, protocol: Protocol): string | undefined {
  const given = args.value('user')
  if (given !== undefined && fromUrl !== undefined && given !== fromUrl)
    throw new CommandError('the URL names another user than --user; give one of them')
  const user = given ?? fromUrl
  if (user === '') throw new CommandError('--user is empty; give the name to log in with')
  // A line end would end the command and begin another (S1, P16).
  if (user !== undefined && /[\0\r\n]/.test(user)) throw new CommandError('the user name holds a line end or a NUL, which no mailbox has; check it')
  if (user === undefined && protocol === 'pop3')
    throw new CommandError('no user, and a POP3 mailbox needs one; write pop3s://USER@HOST («@» in it as %40) or give --user NAME')
  if (user === undefined && (args.has('password-file') || args.has('password-env')))
    throw new CommandError('a password without a user; write smtps://USER@HOST or give --user NAME')
  return user
}

function milliseconds(args: Arguments): number | undefined {
  const seconds = args.count('timeout', 1)
  if (seconds !== undefined && seconds > 2_147_483) throw new CommandError('--timeout is at most 2147483 seconds')
  return seconds === undefined ? undefined : seconds * 1000
}

async function pem(args: Arguments, option: 'ca' | 'cert' | 'key'): Promise<string | undefined> {
  const file = args.value(option)
  if (file === undefined) return undefined
  let text: string
  try {
    text = await readFile(file, 'latin1')
  } catch (error) {
    throw new CommandError(`cannot read ${printable(file)} of --${option}: ${fileTrouble(error)}`)
  }
  const wanted = option === 'key' ? /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/ : /-----BEGIN CERTIFICATE-----/
  if (!wanted.test(text))
    throw new CommandError(
      `${printable(file)} of --${option} holds no ${option === 'key' ? 'private key' : 'certificate'} in PEM form (-----BEGIN …-----)`,
    )
  return text
}

/** How a password travels: servers have been seen to send back what they refuse. Also base64 of it, and of PLAIN (RFC 4616). */
function formsOf(user: string, password: string): string[] {
  return [password, base64(password), base64(`\0${user}\0${password}`)].filter((form) => form.length >= SHORTEST)
}

/** A shorter one would be found by chance in ordinary words. */
const SHORTEST = 6

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
