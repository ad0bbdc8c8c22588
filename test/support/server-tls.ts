import type { SecureVersion, TlsOptions } from 'node:tls'

/** The TLS side of a test server. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
  /** @default 'TLSv1.2' */ readonly minVersion?: SecureVersion
  /** @default 'TLSv1.3' */ readonly maxVersion?: SecureVersion
  /** Let the server itself use what OpenSSL 3 calls too weak, such as a SHA-1 certificate. @default false */ readonly weak?: boolean
  /** Ask for a client certificate of this authority. */ readonly clientCa?: string
}

/** Options for `tls.createServer`, `new TLSSocket` and `createSecureContext`. */
export function serverTls(options: ServerTls): TlsOptions {
  const minVersion = options.minVersion ?? 'TLSv1.2'
  // OpenSSL 3 signs the handshakes of TLS 1.0 and 1.1 only at security level 0.
  const weak = options.weak === true || minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
  return {
    cert: options.cert,
    key: options.key,
    minVersion,
    maxVersion: options.maxVersion ?? 'TLSv1.3',
    ...(weak ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
    ...(options.clientCa === undefined ? {} : { ca: options.clientCa, requestCert: true, rejectUnauthorized: true }),
  }
}
