import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { start } from '../processes.ts'

/** A maildrop as its server tells of it; the subjects get it as JSON on their command line. */
export interface Maildrop {
  readonly port: number
  /** PEM; the server speaks TLS then. */ readonly ca?: string | undefined
  /** The same in a file. */ readonly caFile?: string | undefined
  readonly messages: number
  /** Of all messages in their order. */ readonly octets: number
  readonly sha256: string
  /** Octets of all answers to RETR. */ readonly wire: number
  /** The attachment of the only message, decoded. */ readonly attached?: { readonly octets: number; readonly sha256: string } | undefined
}

export interface MaildropServer {
  readonly maildrop: Maildrop
  readonly stop: () => Promise<void>
}

/** Starts server.ts: one message with an attachment of so many octets, or so many mails of 2 KB. */
export async function startMaildrop(kind: 'attachment' | 'mails', amount: number, lateMs = 0, isSecure = false): Promise<MaildropServer> {
  const running = await start(fileURLToPath(new URL('server.js', import.meta.url)), [
    kind,
    String(amount),
    String(lateMs),
    isSecure ? 'tls' : 'plain',
  ])
  const told: Maildrop = JSON.parse(running.hello)
  const caFile = join('.build', 'bench', `pop3-${told.port}.pem`)
  if (told.ca !== undefined) writeFileSync(caFile, told.ca)
  const stop = async (): Promise<void> => {
    running.stop()
    rmSync(caFile, { force: true })
  }
  return { maildrop: { ...told, caFile }, stop }
}
