import { checkSecrecy } from '../tls/dialogue.ts'
import { checkServerOptions, optionError, POP3_DEFAULTS, type ServerOptions } from '../tls/options.ts'
import { selectMechanism } from '../wire/sasl/mechanism.ts'

/** How to reach one POP3 server. What differs from the defaults is for servers that need it; docs/pop3-servers.md names some. */
export interface Pop3Options extends ServerOptions {
  /** `never`: CAPA is not sent, and nothing that it would announce is taken for granted. @default 'ask' */
  readonly capabilities?: 'ask' | 'never' | undefined
  /** Several commands under way where the server announces it, or one at a time. @default 'auto' */
  readonly pipelining?: 'auto' | 'never' | undefined
  /** How `top` is answered: by TOP, or by RETR of the whole message, of which the beginning is given. @default 'TOP' */
  readonly top?: 'TOP' | 'RETR' | undefined
  /** RSET before QUIT where nothing was deleted: for servers that remove what was only retrieved. @default false */
  readonly resetBeforeQuit?: boolean | undefined
  /** `false`: AUTH and what the client says first go in two lines. @default true */ readonly initialResponse?: boolean | undefined
  /** Messages and names in UTF-8 (RFC 6856), asked for before the login. Fails with `ERR_UNSUPPORTED` where it is not offered. @default false */
  readonly utf8?: boolean | undefined
}

export type CheckedPop3Options = Readonly<ReturnType<typeof checkPop3Options>>

/** Throws `ERR_OPTION`, `ERR_AUTH_MECHANISM` and `ERR_AUTH_CLEAR_TEXT`. @param secure the connection is or will be one with TLS */
export function checkPop3Options(options: Pop3Options, secure = (options.security ?? 'tls') !== 'none') {
  const { capabilities = 'ask', pipelining = 'auto', top = 'TOP', resetBeforeQuit = false, initialResponse = true, utf8 = false } = options
  demandOne('capabilities', capabilities, ['ask', 'never'])
  demandOne('pipelining', pipelining, ['auto', 'never'])
  demandOne('top', top, ['TOP', 'RETR'])
  for (const [name, value] of Object.entries({ resetBeforeQuit, initialResponse, utf8 })) demandOne(name, value, [true, false])
  const checked = { ...checkServerOptions(options, POP3_DEFAULTS), capabilities, pipelining, top, resetBeforeQuit, initialResponse, utf8 }
  const { auth } = checked
  const isOwn = auth !== undefined && 'password' in auth && ['USER', 'APOP', undefined].includes(auth.mechanism?.toUpperCase())
  if (auth !== undefined && !isOwn) selectMechanism(auth, [auth.mechanism ?? ''])
  checkSecrecy(checked, secure)
  return checked
}

function demandOne(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (!allowed.includes(value)) throw optionError(name, allowed.map((one) => (typeof one === 'string' ? `'${one}'` : one)).join(' or '))
}
