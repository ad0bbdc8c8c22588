import { join } from 'node:path'
import type { MailConnector } from '../connector/connector.ts'
import type { MailDocument } from '../connector/document.ts'
import type { GetOperation } from '../connector/operation.ts'
import { helpText, readArguments, type Arguments, type Syntax } from './arguments.ts'
import { CONNECTION_OPTIONS, readConnection, SERVER_NOTES, type Connection } from './connection.ts'
import { CommandError, describeFailure } from './failure.ts'
import { OutputFolder, type WrittenFile } from './folder.ts'
import { tell, type Io } from './io.ts'
import { jsonLine } from './json.ts'
import { consoleLog } from './log.ts'
import { Progress } from './progress.ts'
import { counted, humanOctets, Table, type Column } from './table.ts'

const DISPOSITIONS = ['attachment', 'inline', 'all', 'message'] as const
const HAND_OVERS = ['direct', 'spool'] as const

export const GET_SYNTAX: Syntax = {
  name: 'get',
  usage: 'SERVER --out DIR [options]',
  summary: 'get the documents of a mailbox into a folder, each once',
  options: {
    out: { value: 'DIR', help: 'where the documents go; made when it is missing' },
    from: { value: 'ADDRESS', help: 'only messages from this address; the others are left alone' },
    disposition: {
      value: 'WHAT',
      help: 'the attachments, the body, every part, or the whole message',
      choices: DISPOSITIONS,
      defaultsTo: 'attachment',
    },
    delete: { help: 'delete a message from the server once all its documents are safe here' },
    'delete-empty': { help: 'with --delete: also delete messages without a document' },
    limit: { value: 'N', help: 'retrieve at most N messages in this run', defaultsTo: 'all' },
    'hand-over': {
      value: 'HOW',
      help: 'write documents while they come in, or after the whole message is on disk',
      choices: HAND_OVERS,
      defaultsTo: 'direct',
    },
    state: { value: 'DIR', help: 'where is remembered what was got', defaultsTo: '.wirepost in the folder of --out' },
    json: { help: 'one JSON object a line: {"document":…} each, then {"report":…}' },
    ...CONNECTION_OPTIONS,
  },
  examples: [
    'wirepost get pop3s://alice%40example.com@pop.example.com --out inbox',
    'wirepost get pop3://pop.example.com --user alice --out inbox --from edi@partner.example --delete --json',
  ],
  notes: `A document is written to a temporary file, synced and renamed to a name that is free in DIR; only then it counts as accepted. What was accepted does not come again.\n${SERVER_NOTES}`,
}

/** What `getCommand` needs of a connector. */
export type Getter = Pick<MailConnector, 'get' | 'close'>
export type MakeGetter = (options: ConstructorParameters<typeof MailConnector>[0]) => Getter | Promise<Getter>

/** `wirepost get`: the exit status, or a rejection that `describeFailure` explains. */
export async function getCommand(args: readonly string[], io: Io, makeConnector: MakeGetter = connectorOf): Promise<number> {
  const given = readArguments(GET_SYNTAX, args)
  if (given === undefined) {
    await io.out.write(helpText(GET_SYNTAX))
    return 0
  }
  const operation = getOperation(given)
  const out = given.value('out')
  if (out === undefined || out === '') throw new CommandError('the folder for the documents is missing; give it as --out DIR')
  if (given.operands.length > 1) throw new CommandError('get takes one server; see «wirepost get --help»')
  const connection = await readConnection(given, io, given.operands[0], 'pop3')
  try {
    const folder = await OutputFolder.open(out, { option: '--out DIR', consequence: 'its message stays on the server' })
    return await run(given, io, connection, operation, folder, makeConnector)
  } finally {
    connection.close()
  }
}

async function connectorOf(options: ConstructorParameters<typeof MailConnector>[0]): Promise<Getter> {
  const { MailConnector } = await import('../connector/connector.ts')
  return new MailConnector(options)
}

function getOperation(given: Arguments): GetOperation {
  const messages = given.count('limit', 1)
  const deleteFromServer = given.has('delete')
  if (given.has('delete-empty') && !deleteFromServer) throw new CommandError('--delete-empty widens --delete; give both')
  return {
    fromAddress: given.value('from'),
    disposition: given.choice('disposition', DISPOSITIONS) ?? 'attachment',
    deleteFromServer,
    deleteEmpty: given.has('delete-empty'),
    handOver: given.choice('hand-over', HAND_OVERS) ?? 'direct',
    limit: messages === undefined ? undefined : { messages },
  }
}

async function run(
  given: Arguments,
  outer: Io,
  connection: Connection,
  operation: GetOperation,
  folder: OutputFolder,
  makeConnector: MakeGetter,
): Promise<number> {
  const quiet = given.has('quiet')
  const traced = given.has('trace')
  const progress = new Progress(outer, !quiet && !traced)
  const { io } = progress
  const show = given.has('json') ? jsonView(io) : tableView(io)
  const log = consoleLog(io, 'get', traced ? 'debug' : quiet ? 'error' : 'warn')
  const connector = await makeConnector({
    inbound: connection.options,
    stateDirectory: given.value('state') ?? join(folder.path, '.wirepost'),
    logger: log,
  })
  const counts = { documents: 0, messages: 0, last: '' }
  const accept = async (document: MailDocument): Promise<void> => {
    if (document.message.uniqueId !== counts.last) counts.messages++
    counts.last = document.message.uniqueId
    progress.say(`${counted(counts.messages, 'message')}  ${counted(counts.documents, 'document')}`)
    let file: WrittenFile
    try {
      file = await folder.write(document.safeFileName, document.content, (octets) => progress.moved(octets))
    } catch (error) {
      // The connector's log says it as a warning, which --quiet hides.
      if (quiet && error instanceof CommandError) tell(io.err, `wirepost get: ${describeFailure(error).message}\n`)
      throw error
    }
    await show.document(file, document).catch(async (error: unknown) => {
      // Nobody learned of it, so it is not accepted and comes again.
      await folder.remove(file)
      throw error
    })
    counts.documents++
  }
  try {
    const report = await connector.get(operation, accept, { signal: io.signal })
    await show.report(report)
    // A connection that was lost between two messages is in no count, but in the log.
    return report.failed + report.unconfirmed + report.quarantined + log.errors > 0 ? 1 : 0
  } finally {
    progress.end()
    await connector.close()
  }
}

type GetReport = Awaited<ReturnType<Getter['get']>>

interface View {
  document(file: WrittenFile, document: MailDocument): Promise<void>
  report(report: GetReport): Promise<void>
}

function jsonView(io: Io): View {
  return {
    document: ({ name, size, sha256 }, { contentType, message, section, tracked }) =>
      io.out.write(
        jsonLine({ document: { file: name, size, sha256, contentType, uniqueId: message.uniqueId, section, tracked: trackedInOrder(tracked) } }),
      ),
    report: ({ listed, received, documents, skipped, deleted, unconfirmed, failed, quarantined }) =>
      io.out.write(jsonLine({ report: { listed, received, documents, skipped, deleted, unconfirmed, failed, quarantined } })),
  }
}

/** The seven, in the order of the documentation. */
export function trackedInOrder(tracked: MailDocument['tracked']): object {
  const { fileName, fromAddress, host, messageId, subject, toAddress, user } = tracked
  return { fileName, fromAddress, host, messageId, subject, toAddress, user }
}

function tableView(io: Io): View {
  const table = new Table(COLUMNS, io.out.columns)
  let headed = false
  return {
    async document({ name, size }, { contentType, tracked }) {
      const head = headed ? '' : table.head()
      headed = true
      await io.out.write(head + table.row([name, humanOctets(size), contentType, tracked.fromAddress, tracked.subject]))
    },
    report: (report) => io.out.write(`${sentence(report)}\n`),
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'FILE', width: 30 },
  { title: 'SIZE', width: 9, align: 'right' },
  { title: 'TYPE', width: 24 },
  { title: 'FROM', width: 28 },
  { title: 'SUBJECT', width: 0 },
]

function sentence(report: GetReport): string {
  const rest = (['skipped', 'deleted', 'unconfirmed', 'failed', 'quarantined'] as const).filter((name) => report[name] > 0)
  const counts = rest.map((name) => `${report[name]} ${name === 'unconfirmed' ? 'deletions unconfirmed' : name}`)
  const got = `${counted(report.documents, 'document')} from ${counted(report.received, 'message')}`
  return [`${got} of ${report.listed} in the mailbox`, ...counts].join(', ')
}
