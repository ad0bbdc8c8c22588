import { X509Certificate } from 'node:crypto'
import { orAbort } from '../abort.ts'
import { MailError } from '../errors.ts'
import { timeoutError } from './errors.ts'

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
export type TlsVersion = (typeof TLS_VERSIONS)[number]

export type Pem = string | Buffer

/** Which TLS versions to offer and whom to trust. */
export interface TlsOptions {
  /** Below TLSv1.2 the weaker `DEFAULT@SECLEVEL=0` is used, for this connection only. @default 'TLSv1.2' */
  readonly minVersion?: TlsVersion | undefined
  /** @default 'TLSv1.3' */ readonly maxVersion?: TlsVersion | undefined
  /** PEM; trusted beside Node's own authorities. */ readonly ca?: Pem | readonly Pem[] | undefined
  /** The name that the certificate must be valid for (RFC 9525). @default host */ readonly servername?: string | undefined
  /** PEM of a client certificate with its chain, and its key. */ readonly cert?: Pem | undefined
  readonly key?: Pem | undefined
  /** Of the key, when it is encrypted. */ readonly passphrase?: string | undefined
  /** SHA-256 of the server's public key (SPKI), base64; one must match, in addition to all other checks. */
  readonly pins?: readonly string[] | undefined
  /** Trust any certificate. Logged at every connect. @default false */ readonly acceptUntrustedCertificate?: boolean | undefined
}

/** What a handshake agreed on. */
export interface TlsFacts {
  readonly version: TlsVersion
  readonly cipher: string
  /** The certificate is trusted and valid for the name. `false` only with `acceptUntrustedCertificate`; `reason` then says why. */
  readonly authorized: boolean
  readonly reason?: string
  /** The end of the server certificate's validity. */ readonly validTo: Date
}

/** A string, or a function that is asked each time the secret is needed. */
export type Secret = string | (() => string | Promise<string>)

export type Credentials =
  | { readonly user: string; readonly password: Secret; readonly mechanism?: string | undefined }
  | { readonly user: string; readonly accessToken: Secret; readonly mechanism?: 'XOAUTH2' | 'OAUTHBEARER' | undefined }
  | { readonly user: string; readonly mechanism: 'EXTERNAL' }

const TIMEOUTS = {
  /** From the look-up of the name to the TCP connection. @default 30_000 */ connect: 30_000,
  /** The TLS handshake. @default 30_000 */ handshake: 30_000,
  /** Until the greeting is complete. @default 300_000 */ greeting: 300_000,
  /** From a command to its whole reply. @default 300_000 (POP3 60_000) */ command: 300_000,
  /** From DATA to 354. @default 120_000 */ dataStart: 120_000,
  /** Until the server takes a block of content. @default 180_000 */ dataBlock: 180_000,
  /** From the final dot to its reply. @default 600_000 (RFC 5321 §4.5.3.2.6) */ dataEnd: 600_000,
  /** From QUIT to its reply and the close. @default 10_000 */ quit: 10_000,
  /** Between the octets of an answer. @default 60_000 */ idle: 60_000,
  /** One mail transaction or one retrieval as a whole. @default 21_600_000 */ transaction: 21_600_000,
}

/** Milliseconds. */
export type Timeouts = typeof TIMEOUTS

/** How to reach one server, and how far to trust the way there. What POP3 and SMTP connections have in common. */
export interface ServerOptions {
  /** Host name or IP address. The certificate must be valid for it (RFC 9525). */ readonly host: string
  /** @default POP3 995 for tls, 110 for starttls and none; SMTP 465, 587, 25 */ readonly port?: number | undefined
  /** TLS from the start, by upgrade (required, never tried and dropped), or none. @default 'tls' */
  readonly security?: 'tls' | 'starttls' | 'none' | undefined
  /** Let credentials leave on a connection without TLS. @default false */ readonly allowClearTextAuth?: boolean | undefined
  readonly tls?: TlsOptions | undefined
  readonly auth?: Credentials | undefined
  /** What is left out has its default. Fails with `ERR_TIMEOUT`. */ readonly timeouts?: Partial<Timeouts> | undefined
  /** Content slower than this over a minute fails with `ERR_TIMEOUT`; time in which we do not read does not count. Octets a second, 0 for none. @default 100 */
  readonly minimumRate?: number | undefined
  /** Ends the attempt and later the connection with all calls on it, which reject with `signal.reason`. */ readonly signal?: AbortSignal | undefined
  /** A name for this connection in diagnostics. */ readonly label?: string | undefined
}

/** Server options after the door: checked, and every field present. */
export type CheckedOptions = Readonly<ReturnType<typeof checkServerOptions>>
/** What a handshake needs, on a new connection or on an upgraded one. */
export type UpgradeOptions = Readonly<ReturnType<typeof checkTlsOptions>>

export type ProtocolDefaults = { readonly ports: Readonly<Record<'tls' | 'starttls' | 'none', number>>; readonly timeouts: Timeouts }

export const POP3_DEFAULTS: ProtocolDefaults = { ports: { tls: 995, starttls: 110, none: 110 }, timeouts: { ...TIMEOUTS, command: 60_000 } }
export const SMTP_DEFAULTS: ProtocolDefaults = { ports: { tls: 465, starttls: 587, none: 25 }, timeouts: TIMEOUTS }

/** The options as given → checked and complete. Throws `ERR_OPTION`, which names the option and what it may be. */
export function checkServerOptions(options: ServerOptions, defaults: ProtocolDefaults) {
  const { security = 'tls', minimumRate = 100, allowClearTextAuth = false, auth, signal, label } = options
  const host = checkHost('host', options.host)
  demand(['tls', 'starttls', 'none'].includes(security), 'security', "'tls', 'starttls' or 'none'")
  const { port = defaults.ports[security] } = options
  demand(Number.isInteger(port) && port >= 1 && port <= 65_535, 'port', 'a whole number from 1 to 65535')
  const timeouts = checkTimeouts(options.timeouts ?? {}, defaults.timeouts)
  demand(Number.isFinite(minimumRate) && minimumRate >= 0, 'minimumRate', 'octets a second, 0 or more')
  demand(typeof allowClearTextAuth === 'boolean', 'allowClearTextAuth', 'true or false')
  const tls = checkTlsOptions(options.tls ?? {}, host, timeouts.handshake)
  if (auth !== undefined) checkCredentials(auth)
  return { host, port, security, allowClearTextAuth, tls, auth, timeouts, minimumRate, signal, label }
}

function checkTimeouts(given: Partial<Timeouts>, defaults: Timeouts): Timeouts {
  const timeouts: Record<string, number> & Timeouts = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    demand(Object.hasOwn(defaults, name), `timeouts.${name}`, `left out: the timers are ${Object.keys(defaults).join(', ')}`)
    if (value === undefined) continue
    // setTimeout holds 31 bits; more would fire at once.
    demand(typeof value === 'number' && value > 0 && value <= 0x7fff_ffff, `timeouts.${name}`, 'milliseconds, from 1 to 2147483647')
    timeouts[name] = value
  }
  return timeouts
}

function checkTlsOptions(options: TlsOptions, host: string, handshakeMs: number) {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', cert, key, passphrase, pins = [], acceptUntrustedCertificate = false } = options
  const [lowest, highest] = [TLS_VERSIONS.indexOf(minVersion), TLS_VERSIONS.indexOf(maxVersion)]
  demand(lowest >= 0, 'tls.minVersion', `one of ${TLS_VERSIONS.join(', ')}`)
  demand(highest >= 0, 'tls.maxVersion', `one of ${TLS_VERSIONS.join(', ')}`)
  demand(lowest <= highest, 'tls.minVersion', `at most tls.maxVersion: ${minVersion} is above ${maxVersion}`)
  const ca = options.ca === undefined ? [] : typeof options.ca === 'string' || Buffer.isBuffer(options.ca) ? [options.ca] : options.ca
  for (const pem of ca) checkCertificates('tls.ca', pem)
  if (cert !== undefined) checkCertificates('tls.cert', cert)
  demand((cert === undefined) === (key === undefined), 'tls.cert', 'given together with tls.key')
  for (const pin of pins) demand(Buffer.from(pin, 'base64').length === 32, 'tls.pins', 'base64 of a SHA-256, 32 octets')
  demand(typeof acceptUntrustedCertificate === 'boolean', 'tls.acceptUntrustedCertificate', 'true or false')
  const servername = options.servername === undefined ? host : checkHost('tls.servername', options.servername)
  return { servername, minVersion, maxVersion, ca, cert, key, passphrase, pins, acceptUntrustedCertificate, handshakeMs }
}

/** Node takes garbage as an authority in silence and then trusts nobody, so every certificate is read here. */
function checkCertificates(name: string, pem: Pem): void {
  const blocks = pem.toString('latin1').split('-----BEGIN CERTIFICATE-----').slice(1)
  if (blocks.length === 0) throw optionError(name, 'certificates in PEM form (-----BEGIN CERTIFICATE-----)')
  for (const block of blocks) {
    try {
      void new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`)
    } catch (error) {
      throw optionError(name, 'certificates in PEM form; one of them cannot be read', error)
    }
  }
}

function checkHost(name: string, host: string): string {
  const plausible = typeof host === 'string' && host.length > 0 && host.length <= 255 && !/[\s\p{Cc}/@]/u.test(host)
  demand(plausible, name, 'a host name or an IP address')
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}

/** No command may be forged through a name or a password (S1, P16); the mechanisms check again what they write. */
function checkCredentials(auth: Credentials): void {
  demand(typeof auth.user === 'string' && /^[^\0\r\n]+$/.test(auth.user), 'auth.user', 'the name to log in with, free of CR, LF and NUL')
  const secret: unknown = 'password' in auth ? auth.password : 'accessToken' in auth ? auth.accessToken : undefined
  const given = typeof secret === 'string' ? !/[\0\r\n]/.test(secret) : typeof secret === 'function' || auth.mechanism === 'EXTERNAL'
  demand(given, 'auth.password', 'a string free of CR, LF and NUL, or a function that gives one')
}

/** The secret, from the caller's function where it is one. That may take its time, but not for ever: rejects with `ERR_TIMEOUT` after `waitMs`,
 *  with the signal's reason, with what the function threw, or with `ERR_OPTION` when it gave no string. */
export async function readSecret(secret: Secret, waitMs: number, signal: AbortSignal | undefined): Promise<string> {
  if (typeof secret === 'string') return secret
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(timeoutError('auth.password gave nothing', waitMs, 'auth')), waitMs)
  })
  try {
    const given: unknown = await orAbort(Promise.race([secret(), late]), signal)
    if (typeof given !== 'string') throw optionError('auth.password', 'a string or a function that gives one')
    return given
  } finally {
    clearTimeout(timer)
  }
}

/** Throws `ERR_OPTION` unless it is so. */
export function demand(condition: boolean, name: string, expected: string): asserts condition {
  if (!condition) throw optionError(name, expected)
}

/** `ERR_OPTION`: which option, and what it should have been. The value is left out: it may be a secret. */
export function optionError(name: string, expected: string, cause?: unknown): MailError {
  return new MailError('ERR_OPTION', `the option ${name} must be ${expected}`, { phase: 'options', cause })
}
