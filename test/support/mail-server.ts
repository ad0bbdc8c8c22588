import { makeAuthority, type Authority, type CertificateOptions } from './certificates.ts'
import { Maildrop } from './maildrop.ts'
import { startPop3Server, type Pop3Server, type Pop3ServerOptions } from './pop3-server.ts'
import type { ServerTls } from './server-tls.ts'
import { startSmtpServer, type SmtpServer, type SmtpServerOptions } from './smtp-server.ts'

export interface MailServerOptions {
  /** Passwords by user. @default one user `u1` with the password `pw-1` */ readonly users?: Readonly<Record<string, string>>
  /** Without TLS, or with these settings. @default TLS 1.2 and 1.3 with a certificate of `ca` for localhost, 127.0.0.1 and ::1 */
  readonly tls?: false | (Omit<ServerTls, 'cert' | 'key'> & { readonly certificate?: CertificateOptions })
  readonly pop3?: Partial<Omit<Pop3ServerOptions, 'users' | 'tls'>>
  readonly smtp?: Partial<Omit<SmtpServerOptions, 'users' | 'tls'>>
}

export interface MailServer {
  readonly pop3: Pop3Server
  readonly smtp: SmtpServer
  /** The authority's certificate, as PEM, and the authority itself. */
  readonly ca: string
  readonly authority: Authority
  /** What SMTP delivers into and POP3 serves. Throws for a user who does not exist. */
  readonly maildrop: (user?: string) => Maildrop
  readonly close: () => Promise<void>
}

/** SMTP and POP3 on 127.0.0.1 with ports of the system's choice and one maildrop a user: what is sent can be got. */
export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const authority = makeAuthority()
  const { tls: wanted = {} } = options
  const tls = wanted === false ? undefined : { ...wanted, ...authority.issue(wanted.certificate) }
  const names = Object.entries(options.users ?? { u1: 'pw-1' })
  const users = new Map(names.map(([user, password]) => [user, { password, maildrop: new Maildrop() }]))
  const pop3 = await startPop3Server({ ...options.pop3, users, tls })
  const smtp = await startSmtpServer({ ...options.smtp, users, tls })
  return {
    pop3,
    smtp,
    ca: authority.cert,
    authority,
    maildrop(user = names[0]?.[0] ?? '') {
      const found = users.get(user)
      if (found === undefined) throw new Error(`there is no user ${user}`)
      return found.maildrop
    },
    async close() {
      await Promise.all([pop3.close(), smtp.close()])
      await Promise.all([...users.values()].map(async ({ maildrop }) => maildrop.clear()))
    },
  }
}
