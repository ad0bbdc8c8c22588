import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type ConnectionOptions } from 'node:tls'
import { expect, test } from 'vitest'
import { makeAuthority, makeSelfSigned, type KeyedCertificate } from '../../support/certificates.ts'
import { portOf } from '../../support/listener.ts'
import { serverTls, type ServerTls } from '../../support/server-tls.ts'

const authority = makeAuthority()

async function handshake(server: KeyedCertificate, options: ConnectionOptions, settings: Omit<ServerTls, 'cert' | 'key'> = {}): Promise<string> {
  const listener = createServer(serverTls({ ...server, ...settings }), (socket) => socket.end())
  listener.on('tlsClientError', () => undefined)
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const socket = connect({ port: portOf(listener), host: '127.0.0.1', ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getProtocol() ?? 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no code'
  } finally {
    socket.destroy()
    listener.close()
  }
}

test.each(['rsa', 'ec'] as const)('an %s certificate is what it says', (keyType) => {
  const { cert, pin } = authority.issue({ keyType, names: ['mail.example.test', '127.0.0.1', '::1'], commonName: 'mail' })
  const read = new X509Certificate(cert)
  expect(read.subject).toBe('CN=mail')
  expect(read.subjectAltName).toBe('DNS:mail.example.test, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
  expect(read.verify(new X509Certificate(authority.cert).publicKey)).toBe(true)
  expect(read.checkIssued(new X509Certificate(authority.cert))).toBe(true)
  expect(read.ca).toBe(false)
  expect(new X509Certificate(authority.cert).ca).toBe(true)
  expect(pin).toHaveLength(44)
})

test.each(['rsa', 'ec'] as const)('every TLS version works with an %s certificate', async (keyType) => {
  const server = authority.issue({ keyType })
  for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
    const options = { ca: authority.cert, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
    expect(await handshake(server, options, { minVersion: 'TLSv1' })).toBe(version)
  }
})

test.each<[string, KeyedCertificate, string]>([
  ['an authority that is not known', makeAuthority().issue(), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['itself', makeSelfSigned(), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['the authority, but long ago', authority.issue({ notBefore: new Date(2000, 1), notAfter: new Date(2001, 1) }), 'CERT_HAS_EXPIRED'],
  ['the authority, for another name', authority.issue({ names: ['other.example.test'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['the authority, for far longer than UTCTime can say', authority.issue({ notAfter: new Date(2080, 1) }), 'TLSv1.3'],
])('a certificate vouched for by %s', async (_name, server, result) => {
  expect(await handshake(server, { ca: authority.cert })).toBe(result)
})

test('a certificate signed with SHA-1 is refused by today’s rules', async () => {
  const old = makeAuthority({ keyType: 'rsa' })
  expect(await handshake(old.issue({ keyType: 'rsa', digest: 'sha1' }), { ca: old.cert }, { weak: true })).toBe('UNSPECIFIED')
})
