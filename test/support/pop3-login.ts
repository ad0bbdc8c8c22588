import type { Step } from './fake-server.ts'

/** A server without CAPA that lets anybody in with USER and PASS. */
export const POP3_LOGIN: readonly Step[] = [
  { send: '+OK\r\n' },
  { expect: 'CAPA' },
  { send: '-ERR\r\n' },
  { expect: 'USER' },
  { send: '+OK\r\n' },
  { expect: 'PASS' },
  { send: '+OK\r\n' },
  { expect: 'CAPA' },
  { send: '-ERR\r\n' },
]
