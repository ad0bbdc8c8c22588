import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MailConnector, type GetOperation, type GetReport, type Logger, type MailDocument } from '../../../src/index.ts'
import type { ConnectorOptions, Ground } from '../../../src/connector/connector.ts'
import { diskFiles, type Files, type OutputFile } from '../../../src/connector/files.ts'
import { Maildrop, type MessageSource } from '../../support/maildrop.ts'
import { startPop3Server, type Pop3Server, type Pop3ServerOptions } from '../../support/pop3-server.ts'

export const USER = 'partner@example.com'
export const PASSWORD = 'canary-5f0e7f1c2a'

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'wirepost-connector-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A log in memory. */
export class MemoryLog implements Logger {
  readonly lines: { level: string; fields: object; message: string }[] = []
  trace = this.#writer('trace')
  debug = this.#writer('debug')
  info = this.#writer('info')
  warn = this.#writer('warn')
  error = this.#writer('error')

  child(): Logger {
    return this
  }

  get text(): string {
    return JSON.stringify(this.lines)
  }

  #writer(level: string): (fields: object, message?: string) => void {
    return (fields, message = '') => void this.lines.push({ level, fields, message })
  }
}

export interface Mailbox {
  readonly maildrop: Maildrop
  readonly server: Pop3Server
  readonly folder: string
  readonly log: MemoryLog
  connector(options?: Partial<ConnectorOptions>, ground?: Partial<Ground>): MailConnector
  /** One run in a connector of its own, as after a restart. */
  get(
    operation: GetOperation,
    handler?: (document: MailDocument) => unknown,
    options?: Partial<ConnectorOptions> & { ground?: Partial<Ground> },
  ): Promise<{ report: GetReport; documents: Handed[] }>
}

export interface Handed {
  readonly document: MailDocument
  readonly text: string
}

/** A maildrop with its server and a state directory. */
export async function openMailbox(messages: readonly string[] = [], options: Partial<Pop3ServerOptions> = {}): Promise<Mailbox> {
  const maildrop = new Maildrop()
  for (const message of messages) maildrop.add(inPieces(message))
  const server = await startPop3Server({ users: new Map([[USER, { password: PASSWORD, maildrop }]]), ...options })
  onTestFinished(() => server.close())
  const folder = await temporaryFolder()
  const log = new MemoryLog()
  const connector: Mailbox['connector'] = (more, ground) =>
    new MailConnector(
      {
        inbound: {
          host: server.host,
          port: server.port,
          security: 'none',
          allowClearTextAuth: true,
          auth: { user: USER, password: PASSWORD },
          timeouts: { idle: 2000, quit: 500 },
        },
        ...(more?.state === 'memory' ? {} : { stateDirectory: folder }),
        logger: log,
        ...more,
      },
      ground,
    )
  return {
    maildrop,
    server,
    folder,
    log,
    connector,
    async get(operation, handler, { ground, ...more } = {}) {
      await using one = connector(more, ground)
      const documents: Handed[] = []
      const report = await one.get(operation, async (document) => {
        const text = handler === undefined ? await textOf(document.content) : ''
        await handler?.(document)
        documents.push({ document, text })
      })
      return { report, documents }
    },
  }
}

/** Served in pieces, so that a fault can come between them. */
function inPieces(message: string): MessageSource {
  const octets = Buffer.from(message)
  return {
    octets: octets.length,
    *open() {
      for (let at = 0; at < octets.length; at += 65_536) yield octets.subarray(at, at + 65_536)
    },
  }
}

/** A promise, and what settles it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const controller = new AbortController()
  const opened = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  return { opened, open: () => controller.abort() }
}

export async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

export interface MailFacts {
  readonly from?: string
  readonly subject?: string
  readonly body?: string
  readonly attachments?: readonly (readonly [name: string, content: string])[]
}

/** A message as a partner sends it. */
export function mail({
  from = 'Orders <orders@partner.example>',
  subject = 'Order',
  body = 'see attachment',
  attachments = [],
}: MailFacts = {}): string {
  const head = [
    `From: ${from}`,
    'To: me@here.example, You <you@here.example>',
    `Subject: ${subject}`,
    `Message-ID: <${subject.replaceAll(' ', '.')}@partner.example>`,
  ]
  if (attachments.length === 0) return [...head, '', body, ''].join('\r\n')
  const parts = [
    ['--b', 'Content-Type: text/plain', '', body],
    ...attachments.map(([name, content]) => [
      '--b',
      'Content-Type: application/edifact',
      `Content-Disposition: attachment; filename="${name}"`,
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from(content).toString('base64'),
    ]),
    ['--b--', ''],
  ]
  return [...head, 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '', ...parts.flat()].join('\r\n')
}

export const NOTHING: GetReport = { listed: 0, received: 0, documents: 0, skipped: 0, deleted: 0, unconfirmed: 0, failed: 0, quarantined: 0 }

/** A disk on which one step fails from some moment on. */
export function failing(step: 'write' | 'sync', fails: () => boolean): Files {
  const wrapped = (file: OutputFile): OutputFile => ({
    close: () => file.close(),
    appendFile: (octets) => (step === 'write' && fails() ? Promise.reject(full()) : file.appendFile(octets)),
    sync: () => (step === 'sync' && fails() ? Promise.reject(full()) : file.sync()),
  })
  return {
    ...diskFiles,
    append: async (path) => wrapped(await diskFiles.append(path)),
    create: async (path) => wrapped(await diskFiles.create(path)),
  }
}

function full(): Error {
  return Object.assign(new Error('no space'), { code: 'ENOSPC' })
}
