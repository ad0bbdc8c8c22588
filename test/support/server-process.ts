// Started by node as a process of its own: a mail server for one user, whose addresses go to the parent as the first message. It ends when the
// parent says so, or is gone. WIREPOST_TEST_USER and WIREPOST_TEST_PASSWORD name the user.
import { startMailServer } from './mail-server.ts'

/** What the parent is told. */
export interface ServerAddresses {
  readonly host: string
  readonly pop3: number
  readonly pop3s: number
  readonly smtp: number
  readonly smtps: number
  readonly ca: string
}

const { WIREPOST_TEST_USER: user = 'u1', WIREPOST_TEST_PASSWORD: password = 'pw-1' } = process.env
const server = await startMailServer({ users: { [user]: password } })
const addresses: ServerAddresses = {
  host: server.pop3.host,
  pop3: server.pop3.port,
  pop3s: server.pop3.tlsPort,
  smtp: server.smtp.port,
  smtps: server.smtp.tlsPort,
  ca: server.ca,
}
process.send?.(addresses)
// Ctrl-C goes to the whole group; the parent decides when this one ends.
process.on('SIGINT', () => undefined)
process.once('disconnect', () => void server.close())
