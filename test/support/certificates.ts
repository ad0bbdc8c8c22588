import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import { bitString, boolean, context, integer, objectIdentifier, octetString, sequence, set, time, utf8String } from './der.ts'

/** A certificate with its key, as PEM. */
export interface KeyedCertificate {
  readonly cert: string
  readonly key: string
  /** SHA-256 of the public key (SPKI), base64, as `tls.pins` takes it. */
  readonly pin: string
}

/** A certification authority made on the spot. */
export interface Authority extends KeyedCertificate {
  /** A certificate signed by this authority. */
  issue(options?: CertificateOptions): KeyedCertificate
}

export interface CertificateOptions {
  /** @default 'localhost' */ readonly commonName?: string
  /** Host names and IP addresses of the SAN; an empty list leaves the extension out. @default localhost, 127.0.0.1 and ::1 */
  readonly names?: readonly string[]
  /** RSA with 2048 bits, or EC on P-256. @default 'ec' */ readonly keyType?: 'rsa' | 'ec'
  /** @default 'sha256' */ readonly digest?: 'sha256' | 'sha1'
  /** @default an hour ago */ readonly notBefore?: Date
  /** @default in 30 days */ readonly notAfter?: Date
}

const HOUR_MS = 3_600_000

/** A new authority. What it issues is trusted where `ca: authority.cert` is given. */
export function makeAuthority(options: CertificateOptions = {}): Authority {
  const pair = makeKeyPair(options.keyType)
  const name = options.commonName ?? 'Wirepost test authority'
  const own = make({ ...options, commonName: name, names: [] }, pair, { name, pair }, true)
  return { ...own, issue: (wanted = {}) => make(wanted, makeKeyPair(wanted.keyType), { name, pair }, false) }
}

/** A certificate that vouches for itself, as appliances have it. */
export function makeSelfSigned(options: CertificateOptions = {}): KeyedCertificate {
  const pair = makeKeyPair(options.keyType)
  return make(options, pair, { name: options.commonName ?? 'localhost', pair }, false)
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

function makeKeyPair(keyType: 'rsa' | 'ec' = 'ec'): KeyPair {
  return keyType === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

// RFC 5280 §4.1
function make(options: CertificateOptions, subject: KeyPair, issuer: { name: string; pair: KeyPair }, ca: boolean): KeyedCertificate {
  const spki = subject.publicKey.export({ type: 'spki', format: 'der' })
  const digest = options.digest ?? 'sha256'
  const algorithm = signatureAlgorithm(issuer.pair.privateKey, digest)
  const toBeSigned = sequence(
    context(0, integer(2)), // v3
    integer(Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(options.notBefore ?? new Date(Date.now() - HOUR_MS)), time(options.notAfter ?? new Date(Date.now() + 30 * 24 * HOUR_MS))),
    distinguishedName(options.commonName ?? 'localhost'),
    spki,
    context(3, sequence(...extensions(options.names ?? ['localhost', '127.0.0.1', '::1'], spki, issuer.pair, ca))),
  )
  const signature = sign(digest, toBeSigned, issuer.pair.privateKey)
  return {
    cert: pem('CERTIFICATE', sequence(toBeSigned, algorithm, bitString(signature))),
    key: subject.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    pin: createHash('sha256').update(spki).digest('base64'),
  }
}

// RFC 5280 §4.2
function extensions(names: readonly string[], spki: Buffer, issuer: KeyPair, ca: boolean): Buffer[] {
  const issuerKey = issuer.publicKey.export({ type: 'spki', format: 'der' })
  const list = [
    extension('2.5.29.19', true, ca ? sequence(boolean(true)) : sequence()),
    extension('2.5.29.15', true, bitString(Buffer.of(ca ? 0x06 : 0xa0), ca ? 1 : 5)), // keyCertSign, cRLSign | digitalSignature, keyEncipherment
    extension('2.5.29.14', false, octetString(keyIdentifier(spki))),
    extension('2.5.29.35', false, sequence(context(0, keyIdentifier(issuerKey), false))),
  ]
  if (!ca) list.push(extension('2.5.29.37', false, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'), objectIdentifier('1.3.6.1.5.5.7.3.2'))))
  if (names.length > 0) list.push(extension('2.5.29.17', false, sequence(...names.map(generalName))))
  return list
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value))
}

function keyIdentifier(spki: Buffer): Buffer {
  return createHash('sha256').update(spki).digest().subarray(0, 20)
}

function generalName(name: string): Buffer {
  if (isIPv4(name)) return context(7, Buffer.from(name.split('.').map(Number)), false)
  if (isIPv6(name)) return context(7, ipv6Octets(name), false)
  return context(2, Buffer.from(name, 'latin1'), false)
}

function ipv6Octets(address: string): Buffer {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter((word) => word !== ''))
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.from(all.map((word) => word.padStart(4, '0')).join(''), 'hex')
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))))
}

function signatureAlgorithm(key: KeyObject, digest: 'sha256' | 'sha1'): Buffer {
  if (key.asymmetricKeyType === 'ec') return sequence(objectIdentifier(digest === 'sha256' ? '1.2.840.10045.4.3.2' : '1.2.840.10045.4.1'))
  return sequence(objectIdentifier(digest === 'sha256' ? '1.2.840.113549.1.1.11' : '1.2.840.113549.1.1.5'), Buffer.of(5, 0))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
