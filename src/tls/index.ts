export { connect } from './socket.ts'
export {
  checkServerOptions,
  optionError,
  POP3_DEFAULTS,
  SMTP_DEFAULTS,
  TLS_VERSIONS,
  type CheckedOptions,
  type Credentials,
  type Secret,
  type ServerOptions,
  type Timeouts,
  type TlsFacts,
  type TlsOptions,
  type TlsVersion,
} from './options.ts'
export { nextEvent, type Transport, type Wait } from './transport.ts'
export { MailError } from '../errors.ts'
