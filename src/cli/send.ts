import { constants, createReadStream } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { printable } from '../bytes.ts'
import type { MailConnector } from '../connector/connector.ts'
import type { OutgoingDocument, SendOperation } from '../connector/operation.ts'
import { helpText, readArguments, type Arguments, type Syntax } from './arguments.ts'
import { CONNECTION_OPTIONS, readConnection, SERVER_NOTES, type Connection } from './connection.ts'
import { CommandError, describeFailure } from './failure.ts'
import { fileTrouble } from './file-trouble.ts'
import { trackedInOrder } from './get.ts'
import type { Io } from './io.ts'
import { jsonLine } from './json.ts'
import { consoleLog } from './log.ts'
import { mediaTypeOf } from './media-type.ts'
import { Progress } from './progress.ts'
import { counted, Table, type Column } from './table.ts'

const DISPOSITIONS = ['attachment', 'inline', 'message'] as const

export const SEND_SYNTAX: Syntax = {
  name: 'send',
  usage: "SERVER --from A --to 'B; C' [options] FILE…",
  summary: 'send documents by mail, one message each',
  options: {
    from: { value: 'ADDRESS', help: 'who sends' },
    to: { value: 'ADDRESSES', help: 'who receives, separated by «;» or given several times', joinedBy: '; ' },
    cc: { value: 'ADDRESSES', help: 'who receives a copy', joinedBy: '; ' },
    bcc: { value: 'ADDRESSES', help: 'who receives a copy without the others seeing it', joinedBy: '; ' },
    subject: { value: 'TEXT', help: 'the subject' },
    disposition: {
      value: 'HOW',
      help: 'FILE as an attachment, as the body, or as the whole message as it is',
      choices: DISPOSITIONS,
      defaultsTo: 'attachment',
    },
    type: { value: 'TYPE', help: 'media type of the files', defaultsTo: 'by the end of the name, or application/octet-stream' },
    body: { value: 'TEXT', help: 'text beside an attachment' },
    'body-type': { value: 'TYPE', help: 'media type of that text', defaultsTo: 'text/plain' },
    together: { help: 'all files in one message' },
    json: { help: 'one JSON object a line: {"receipt":…} for each message' },
    ...CONNECTION_OPTIONS,
  },
  examples: [
    "wirepost send smtps://alice%40example.com@smtp.example.com --from alice@example.com --to 'edi@partner.example' order.edi",
    "wirepost send smtp://smtp.example.com --user alice --from alice@example.com --to 'b@example.com; c@example.com' \\\n      --subject 'Report' --body 'See the attachment.' report.pdf",
  ],
  notes: `FILE «-» is standard input. Each recipient ends as accepted, deferred, refused or unknown (the final reply never came: it may have arrived, so it is not sent again by itself).\n${SERVER_NOTES}`,
}

/** What `sendCommand` needs of a connector. */
export type Sender = Pick<MailConnector, 'send' | 'close'>
export type MakeSender = (options: ConstructorParameters<typeof MailConnector>[0]) => Sender | Promise<Sender>

/** `wirepost send`: the exit status, or a rejection that `describeFailure` explains. */
export async function sendCommand(args: readonly string[], io: Io, makeConnector: MakeSender = connectorOf): Promise<number> {
  const given = readArguments(SEND_SYNTAX, args)
  if (given === undefined) {
    await io.out.write(helpText(SEND_SYNTAX))
    return 0
  }
  const [server, ...files] = given.operands
  const operation = sendOperation(given)
  if (server !== undefined && files.length === 0) throw new CommandError('nothing to send; name a FILE, or «-» for standard input')
  if (files.filter((file) => file === '-').length > 1) throw new CommandError('standard input («-») can be sent once')
  for (const file of files) await checkReadable(file)
  const connection = await readConnection(given, io, server, 'smtp')
  try {
    return await run(given, io, connection, operation, files, makeConnector)
  } finally {
    connection.close()
  }
}

async function connectorOf(options: ConstructorParameters<typeof MailConnector>[0]): Promise<Sender> {
  const { MailConnector } = await import('../connector/connector.ts')
  return new MailConnector(options)
}

function sendOperation(given: Arguments): SendOperation {
  const from = given.value('from')?.trim() ?? ''
  const to = given.value('to')?.trim() ?? ''
  if (from === '') throw new CommandError('From address is missing; give it as --from ADDRESS')
  if (to === '') throw new CommandError("To address is missing; give it as --to 'ADDRESS; ADDRESS'")
  const disposition = given.choice('disposition', DISPOSITIONS) ?? 'attachment'
  for (const option of ['body', 'body-type'] as const) {
    if (disposition !== 'attachment' && given.has(option)) throw new CommandError(`--${option} goes with --disposition attachment; leave it out`)
  }
  return {
    from,
    to,
    cc: given.value('cc'),
    bcc: given.value('bcc'),
    subject: given.value('subject'),
    disposition,
    bodyContentType: given.value('body-type'),
    together: given.has('together'),
  }
}

async function checkReadable(file: string): Promise<void> {
  if (file === '-') return
  try {
    if ((await stat(file)).isDirectory()) throw new CommandError(`cannot read ${printable(file)}: it is a folder; name files`)
    await access(file, constants.R_OK)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`cannot read ${printable(file)}: ${fileTrouble(error)}`)
  }
}

async function run(
  given: Arguments,
  outer: Io,
  connection: Connection,
  operation: SendOperation,
  files: readonly string[],
  makeConnector: MakeSender,
): Promise<number> {
  const quiet = given.has('quiet')
  const traced = given.has('trace')
  const progress = new Progress(outer, !quiet && !traced)
  const { io } = progress
  const show = given.has('json') ? jsonView(io, connection) : tableView(io, connection)
  const connector = await makeConnector({ outbound: connection.options, logger: consoleLog(io, 'send', traced ? 'debug' : quiet ? 'error' : 'warn') })
  const counts = { opened: 0, receipts: 0, delivered: 0 }
  async function* documents(): AsyncGenerator<OutgoingDocument, void, undefined> {
    for (const file of files) {
      counts.opened++
      progress.say(`${counts.opened} of ${counted(files.length, 'document')}`)
      yield { ...(await opened(file, io, progress)), contentType: given.value('type') ?? mediaTypeOf(file), body: given.value('body') }
    }
  }
  const onReceipt = async (receipt: SendReceipt): Promise<void> => {
    await show(receipt, operation.together === true ? files.join('; ') : (files[counts.receipts] ?? ''))
    counts.receipts++
    if (receipt.outcome === 'accepted') counts.delivered++
  }
  try {
    await connector.send(operation, documents(), { signal: io.signal, onReceipt })
    if (!given.has('json')) await io.out.write(`${counts.delivered} of ${counted(counts.receipts, 'message')} delivered\n`)
    return counts.delivered === counts.receipts ? 0 : 1
  } catch (error) {
    // Part of the work is done: that is no longer «the server could not be reached».
    if (counts.receipts === 0 || io.signal.aborted) throw error
    throw new CommandError(describeFailure(error).message, 1)
  } finally {
    progress.end()
    await connector.close()
  }
}

async function opened(file: string, io: Io, progress: Progress): Promise<OutgoingDocument> {
  if (file === '-') return { content: counting(io.stdin, progress) }
  const facts = await stat(file)
  // A pipe or a device has no size, and a file that grows while it is sent is sent as it was.
  const size = facts.isFile() ? facts.size : undefined
  const content: AsyncIterable<Buffer> = {
    [Symbol.asyncIterator]: () => counting(size === 0 ? [] : createReadStream(file, size === undefined ? {} : { end: size - 1 }), progress),
  }
  return { content, size, fileName: basename(file) }
}

async function* counting(source: AsyncIterable<Buffer> | Iterable<Buffer>, progress: Progress): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    progress.moved(chunk.length)
    yield chunk
  }
}

type SendReceipt = Awaited<ReturnType<Sender['send']>>[number]
type View = (receipt: SendReceipt, file: string) => Promise<void>
type Recipient = SendReceipt['recipients'][number]

function jsonView(io: Io, { redact }: Connection): View {
  return (receipt, file) => {
    const { messageId, outcome, recipients, reply, tracked } = receipt
    const ending = (wanted: Recipient['outcome']): object[] =>
      recipients
        .filter((recipient) => recipient.outcome === wanted)
        .map((recipient) => ({
          address: recipient.address,
          status: recipient.reply?.status ?? null,
          enhancedStatus: recipient.reply?.enhancedStatus ?? null,
          text: recipient.reply === null ? null : redact(recipient.reply.lines.join(' ')),
        }))
    return io.out.write(
      jsonLine({
        receipt: {
          messageId,
          file,
          outcome,
          accepted: ending('accepted'),
          deferred: ending('deferred'),
          refused: ending('refused'),
          unknown: ending('unknown'),
          reply: reply === null ? null : { status: reply.status, enhancedStatus: reply.enhancedStatus, lines: reply.lines.map(redact) },
          tracked: trackedInOrder(tracked),
        },
      }),
    )
  }
}

function tableView(io: Io, { redact }: Connection): View {
  const table = new Table(COLUMNS, io.out.columns)
  let headed = false
  return async (receipt, file) => {
    const accepted = receipt.recipients.filter((recipient) => recipient.outcome === 'accepted').length
    const head = headed ? '' : table.head()
    headed = true
    await io.out.write(head + table.row([receipt.outcome, file, `${accepted} of ${receipt.recipients.length}`, receipt.messageId]))
    for (const { address, outcome, reply } of receipt.recipients) {
      if (outcome === 'accepted') continue
      const said =
        reply === null
          ? outcome === 'unknown'
            ? 'no reply came'
            : 'nothing was sent; the warning says why'
          : redact(`${reply.status} ${reply.lines.join(' ')}`)
      await io.out.write(`  ${printable(address, 200)} ${outcome}: ${printable(said, 400)}\n`)
    }
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'OUTCOME', width: 8 },
  { title: 'FILE', width: 30 },
  { title: 'RECIPIENTS', width: 10 },
  { title: 'MESSAGE-ID', width: 0 },
]
