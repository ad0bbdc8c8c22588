import { domainToASCII } from 'node:url'
import { printable } from '../bytes.ts'
import { TLS_VERSIONS, type ServerOptions, type TlsVersion } from '../tls/index.ts'
import { suggestion } from './arguments.ts'
import { CommandError } from './failure.ts'

export type Protocol = 'pop3' | 'smtp'

/** What a server URL says. */
export interface ServerUrl {
  readonly protocol: Protocol
  readonly host: string
  readonly port: number
  readonly security: NonNullable<ServerOptions['security']>
  readonly user: string | undefined
  readonly minVersion: TlsVersion | undefined
  readonly maxVersion: TlsVersion | undefined
}

interface Scheme {
  readonly protocol: Protocol
  readonly security: 'tls' | 'starttls'
  readonly port: number
  /** With `?security=none`. */
  readonly clearPort: number
}

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['pop3s:', { protocol: 'pop3', security: 'tls', port: 995, clearPort: 110 }],
  ['pop3:', { protocol: 'pop3', security: 'starttls', port: 110, clearPort: 110 }],
  ['smtps:', { protocol: 'smtp', security: 'tls', port: 465, clearPort: 25 }],
  ['smtp:', { protocol: 'smtp', security: 'starttls', port: 587, clearPort: 25 }],
])

const QUERY_KEYS: readonly string[] = ['security', 'minVersion', 'maxVersion']

/**
 * Reads `pop3s://alice%40example.com@mail.example.com:995?minVersion=TLSv1.2`. Throws `CommandError`, which repeats nothing of the text but a
 * scheme and the letters of an unknown key: whoever writes a password into a URL shall not find it in a log as well.
 */
export function parseServerUrl(text: string, wanted?: Protocol): ServerUrl {
  const example = `${wanted ?? 'pop3'}s://mail.example.com`
  const url = parseUrl(text, example)
  const scheme = SCHEMES.get(url.protocol)
  if (scheme === undefined) {
    const known = wanted === undefined ? 'pop3s, pop3, smtps or smtp' : `${wanted}s or ${wanted}`
    throw new CommandError(`a server URL begins with ${known}, not ${printable(url.protocol.slice(0, -1), 20)}; write ${example}`)
  }
  if (wanted !== undefined && scheme.protocol !== wanted) {
    const purpose = wanted === 'pop3' ? 'mail is got with POP3' : 'mail is sent with SMTP'
    throw new CommandError(`${purpose}: write ${wanted}${scheme.security === 'tls' ? 's' : ''}:// in place of ${url.protocol}//`)
  }
  if (url.password !== '') throw passwordInUrl()
  // An unescaped «/», «?» or «#» of a user name or password ends the host early: say so without repeating any of it.
  if ((url.pathname !== '' && url.pathname !== '/') || url.hash !== '' || url.search.includes('@')) {
    throw new CommandError(
      `a server URL is scheme, user, host, port and ?options only; write ${example}, and «/», «?», «#» and «@» in a user name as %2F, %3F, %23 and %40`,
    )
  }
  if (url.hostname === '') throw new CommandError(`the server URL has no host; write ${example}`)
  const port = url.port === '' ? undefined : Number(url.port)
  if (port === 0) throw new CommandError('a port is a number from 1 to 65535')
  return { protocol: scheme.protocol, host: hostName(url.hostname), user: userName(url.username), ...queryOptions(url, scheme, port) }
}

function parseUrl(text: string, example: string): URL {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw new CommandError(`the server is written as a URL, for example ${example}`)
  // The URL parser takes these out in silence, or at the ends trims them.
  if (/[\p{Cc}\s\\]/u.test(text))
    throw new CommandError('a server URL holds no blanks, control characters or backslashes; write them as %20 and so on')
  try {
    return new URL(text)
  } catch {
    if (/^[^/]*\/\/[^/?#]*:[^/?#]*@/.test(text)) throw passwordInUrl()
    throw new CommandError(`the server URL cannot be read; write ${example}, with an IPv6 address in [ ] and a port from 1 to 65535`)
  }
}

function passwordInUrl(): CommandError {
  return new CommandError(
    'a password in the server URL can be read by every user of this machine; take it out, and set WIREPOST_PASSWORD or use --password-env NAME or --password-file FILE',
  )
}

type Query = Pick<ServerUrl, 'port' | 'security' | 'minVersion' | 'maxVersion'>

function queryOptions(url: URL, scheme: Scheme, port: number | undefined): Query {
  const values = new Map<string, string>()
  for (const [key, value] of url.searchParams) {
    if (!QUERY_KEYS.includes(key)) {
      const shown = /^[a-zA-Z]{1,20}$/.test(key) ? ` ${key}${suggestion(key, QUERY_KEYS)}` : ''
      throw new CommandError(`unknown option${shown} in the server URL; it takes ${QUERY_KEYS.join(', ')}`)
    }
    if (values.has(key)) throw new CommandError(`${key} stands twice in the server URL`)
    values.set(key, value)
  }
  const asked = values.get('security')
  if (asked !== undefined && asked !== 'none' && asked !== scheme.security) {
    throw new CommandError(`?security= is «none» for clear text, or left out: ${url.protocol}// means security ${scheme.security}`)
  }
  if (asked === 'none' && scheme.security === 'tls') {
    throw new CommandError(`?security=none goes with ${scheme.protocol}://; ${url.protocol}// is TLS from the start`)
  }
  const minVersion = version('minVersion', values.get('minVersion'))
  const maxVersion = version('maxVersion', values.get('maxVersion'))
  if (asked === 'none' && (minVersion ?? maxVersion) !== undefined)
    throw new CommandError('?security=none is clear text: minVersion and maxVersion have no meaning there')
  if (TLS_VERSIONS.indexOf(minVersion ?? 'TLSv1.2') > TLS_VERSIONS.indexOf(maxVersion ?? 'TLSv1.3')) {
    throw new CommandError(
      `minVersion (${minVersion ?? 'TLSv1.2, the default'}) is above maxVersion (${maxVersion ?? 'TLSv1.3, the default'}) in the server URL; give both`,
    )
  }
  const security = asked === 'none' ? 'none' : scheme.security
  return { security, port: port ?? (security === 'none' ? scheme.clearPort : scheme.port), minVersion, maxVersion }
}

function version(key: string, value: string | undefined): TlsVersion | undefined {
  if (value === undefined) return undefined
  const known = TLS_VERSIONS.find((name) => name === value)
  if (known === undefined) throw new CommandError(`${key} in the server URL is one of ${TLS_VERSIONS.join(', ')}`)
  return known
}

function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(1, -1)
  const decoded = decode(host)
  // Schemes that browsers do not know get no IDNA from the URL parser (RFC 5891).
  const ascii = decoded !== undefined && /[^\p{ASCII}]/u.test(decoded) && !/\p{Cc}/u.test(decoded) ? domainToASCII(decoded) : decoded
  if (ascii === undefined || ascii === '' || /[^\w.:-]/.test(ascii))
    throw new CommandError('the host in the server URL is not a host name or an IP address')
  return ascii
}

function userName(text: string): string | undefined {
  if (text === '') return undefined
  const user = decode(text)
  if (user === undefined) throw new CommandError('the user in the server URL cannot be read: write «%» as %25 and «@» as %40, or give it as --user')
  return user
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
