import { constants, createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import { domainToASCII } from 'node:url'
import { MailError } from '../errors.ts'
import { tlsError } from './errors.ts'
import { TLS_VERSIONS, type TlsFacts, type TlsVersion, type UpgradeOptions } from './options.ts'

/** The options of every handshake of ours, on a new connection or on an upgraded one: one path, so that no check is missing on either (T10).
 *  No session is resumed (T16), nothing is renegotiated (T17), and a range of versions is one attempt (T23). */
export function handshakeOptions(options: UpgradeOptions): tls.ConnectionOptions {
  return {
    secureContext: secureContext(options),
    rejectUnauthorized: !options.acceptUntrustedCertificate,
    checkServerIdentity: (_name, certificate) => identityError(options.servername, certificate.raw),
    ...(isIP(options.servername) === 0 && { servername: asciiName(options.servername) }), // an IP address is not sent as SNI (RFC 6066 §3)
  }
}

const STRICT = { subject: 'never', partialWildcards: false, wildcards: true } as const

/** RFC 9525: only names in the certificate's SAN count, wildcards are whole labels, and an IP address needs an IP entry. */
function identityError(name: string, raw: Buffer): Error | undefined {
  const certificate = new X509Certificate(raw)
  if ((isIP(name) === 0 ? certificate.checkHost(asciiName(name), STRICT) : certificate.checkIP(name)) !== undefined) return undefined
  return Object.assign(new Error('the certificate does not hold the name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}

function asciiName(name: string): string {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  return domainToASCII(bare) || bare
}

/** Contexts are costly (all authorities are read), so equal options share one. The key is a digest: no secret is kept. */
const contexts = new Map<string, tls.SecureContext>()
const MAX_CONTEXTS = 16

function secureContext({ minVersion, maxVersion, cert, key, passphrase, ca }: UpgradeOptions): tls.SecureContext {
  const parts = [minVersion, maxVersion, cert, key, passphrase, ...ca].map((part) => part && Buffer.from(part).toString('base64'))
  const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64')
  const known = contexts.get(id)
  if (known !== undefined) return known
  try {
    const context = tls.createSecureContext({
      minVersion,
      maxVersion,
      cert,
      key,
      passphrase,
      ca: ca.length === 0 ? undefined : [...ownAuthorities(), ...ca],
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      // 1.0 and 1.1 sign with MD5 and SHA-1, which only level 0 allows; it weakens what certificates are accepted too, so never otherwise.
      ciphers: isLegacy(minVersion) ? 'DEFAULT@SECLEVEL=0' : undefined,
    })
    if (contexts.size >= MAX_CONTEXTS) contexts.clear()
    contexts.set(id, context)
    return context
  } catch (cause) {
    const message = 'the client certificate, its key or the passphrase of the key cannot be used together'
    throw new MailError('ERR_OPTION', message, { phase: 'options', cause })
  }
}

export const isLegacy = (version: TlsVersion): boolean => TLS_VERSIONS.indexOf(version) < TLS_VERSIONS.indexOf('TLSv1.2')

/** What Node trusts when no authority is named: with the system's and the environment's where this Node can list them (22.15). */
function ownAuthorities(): readonly string[] {
  const node: { readonly getCACertificates?: (kind: 'default') => string[]; readonly rootCertificates: readonly string[] } = tls
  return node.getCACertificates?.('default') ?? node.rootCertificates
}

/** What was agreed on. Throws `ERR_TLS_PIN` when keys are pinned and the server has another, before an octet of ours is sent. */
export function handshakeFacts(socket: tls.TLSSocket, options: UpgradeOptions): TlsFacts {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) throw new MailError('ERR_TLS_CERTIFICATE', `${options.servername} showed no certificate`, { phase: 'tls' })
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
  const pin = createHash('sha256').update(spki).digest('base64')
  if (options.pins.length > 0 && !options.pins.includes(pin)) {
    throw new MailError('ERR_TLS_PIN', `the key of ${options.servername} is not one of the pinned keys; it has ${pin}`, { phase: 'tls' })
  }
  const version = TLS_VERSIONS.find((one) => one === socket.getProtocol())
  if (version === undefined) throw tlsError(new Error(`unexpected version ${socket.getProtocol()}`), options.servername)
  const facts = { version, cipher: socket.getCipher().name, authorized: socket.authorized, validTo: new Date(certificate.validTo) }
  return socket.authorized ? facts : { ...facts, reason: String(socket.authorizationError) }
}
