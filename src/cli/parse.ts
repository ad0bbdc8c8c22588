import { constants } from 'node:buffer'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { printable } from '../bytes.ts'
import { fileExtension } from '../connector/document.ts'
import { Description } from '../mime/entity.ts'
import { openWinmail, parseMessage, type Entity, type Group, type Mailbox, type Winmail, type WinmailAttachment } from '../mime/index.ts'
import { helpText, readArguments, type Syntax } from './arguments.ts'
import { CommandError, describeFailure } from './failure.ts'
import { fileTrouble } from './file-trouble.ts'
import { OutputFolder } from './folder.ts'
import { Interrupted, OutputClosed, tell, type Io } from './io.ts'
import { jsonLine } from './json.ts'
import { messageTree } from './message-tree.ts'

export const PARSE_SYNTAX: Syntax = {
  name: 'parse',
  usage: 'FILE… [options]',
  summary: 'the structure and the defects of messages',
  options: {
    json: { help: 'one JSON object a file, on a line of its own' },
    text: { help: 'with the text of text parts' },
    winmail: { help: 'open winmail.dat (TNEF): show its attachments, and with --extract write them too' },
    extract: { value: 'DIR', help: 'write the content of every leaf to a file of its own in DIR; made when it is missing' },
  },
  examples: ['wirepost parse message.eml', 'wirepost parse --json --text *.eml', 'wirepost parse --extract parts - < message.eml'],
  notes: 'FILE «-» is standard input. Defects do not change the exit status; a file that cannot be read makes it 2, after the others.',
}

/** What is known of one message, in the shape of a JSON line. */
export interface MessageFacts {
  readonly file: string
  readonly size: number
  readonly subject: string | null
  readonly from: readonly (Mailbox | Group)[]
  readonly to: readonly (Mailbox | Group)[]
  readonly cc: readonly (Mailbox | Group)[]
  readonly replyTo: readonly (Mailbox | Group)[]
  readonly messageId: string | null
  readonly date: string | null
  readonly ambiguous: boolean
  readonly entity: EntityFacts
}

export interface EntityFacts {
  readonly section: string
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
  readonly disposition: string | null
  readonly fileName: string | null
  readonly safeFileName: string | null
  readonly contentId: string | null
  readonly encoding: string
  readonly charset: string | null
  readonly headerRange: { readonly offset: number; readonly length: number }
  readonly bodyRange: { readonly offset: number; readonly length: number }
  /** Of a leaf: octets after the transfer encoding. */
  readonly decodedSize: number | null
  readonly sha256: string | null
  readonly fields: readonly { readonly name: string; readonly value: string; readonly offset: number }[]
  readonly defects: readonly { readonly code: string; readonly offset: number; readonly severity: string }[]
  /** With `--text`; `null` for what is no text. */
  readonly text?: string | null
  /** With `--winmail`: what is in a winmail.dat. */
  readonly winmail?: WinmailFacts
  readonly parts: readonly EntityFacts[]
}

export interface WinmailFacts {
  readonly subject: string | null
  readonly attachments: readonly {
    readonly fileName: string | null
    readonly safeFileName: string | null
    readonly type: string
    readonly contentId: string | null
    readonly size: number
    readonly sha256: string
  }[]
  readonly defects: readonly { readonly code: string; readonly offset: number }[]
}

interface Shown {
  readonly text: boolean
  readonly winmail: boolean
}

/** `wirepost parse`. */
export async function parseCommand(args: readonly string[], io: Io): Promise<number> {
  const given = readArguments(PARSE_SYNTAX, args)
  if (given === undefined) {
    await io.out.write(helpText(PARSE_SYNTAX))
    return 0
  }
  if (given.operands.length === 0) throw new CommandError('name a file, or «-» for standard input; see «wirepost parse --help»')
  if (given.operands.filter((file) => file === '-').length > 1) throw new CommandError('standard input («-») can be read once')
  const target = given.value('extract')
  if (target === '') throw new CommandError('--extract needs a folder; see «wirepost parse --help»')
  const folder = target === undefined ? undefined : await OutputFolder.open(target, { option: '--extract DIR' })
  const shown: Shown = { text: given.has('text'), winmail: given.has('winmail') }
  let status = 0
  for (const file of given.operands) {
    io.signal.throwIfAborted()
    try {
      const message = parseMessage(await octetsOf(file, io))
      const facts = messageFacts(file, message, shown)
      await io.out.write(given.has('json') ? jsonLine(facts) : messageTree(facts, io.out.columns))
      if (folder !== undefined) await extract(message, folder, shown.winmail, given.has('json') ? undefined : io)
    } catch (error) {
      if (error instanceof Interrupted || error instanceof OutputClosed || io.signal.aborted) throw error
      // A string has room for about 500 million characters.
      const failure = describeFailure(error instanceof RangeError ? tooLong(file) : error)
      tell(io.err, `wirepost parse: ${failure.message}\n`)
      status = Math.max(status, failure.status)
    }
  }
  return status
}

const tooLong = (file: string): CommandError => new CommandError(`${printable(file)}: its text is too long to be written; leave out --text`)

async function octetsOf(file: string, io: Io): Promise<Buffer> {
  try {
    if (file !== '-') return await readFile(file, { signal: io.signal })
    const chunks: Buffer[] = []
    for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  } catch (error) {
    if (io.signal.aborted) throw error
    throw new CommandError(`cannot read ${file === '-' ? 'standard input' : printable(file)}: ${readTrouble(error)}`)
  }
}

function readTrouble(error: unknown): string {
  const tooLarge = error instanceof RangeError || (error instanceof Error && 'code' in error && error.code === 'ERR_FS_FILE_TOO_LARGE')
  return tooLarge ? 'it is too large to be held in memory' : fileTrouble(error)
}

export function messageFacts(file: string, message: Entity, shown: Shown): MessageFacts {
  const { header } = message
  const entity = entityFacts(message, shown)
  return {
    file,
    size: message.raw.length,
    subject: header.value('subject') ?? null,
    from: header.addresses('from'),
    to: header.addresses('to'),
    cc: header.addresses('cc'),
    replyTo: header.addresses('reply-to'),
    messageId: header.messageIds('message-id')[0] ?? null,
    date: header.date()?.toISOString() ?? null,
    ambiguous: message.ambiguous,
    entity,
  }
}

/** Depth is limited by the parser, so that this may call itself. */
function entityFacts(entity: Entity, shown: Shown): EntityFacts {
  const isLeaf = entity.parts.length === 0
  const content = isLeaf ? entity.content() : null
  const { start, bodyStart, end, kind, mediaType } = described(entity)
  const isText = isLeaf && entity.type.startsWith('text/')
  // Before the defects are asked for: it finds those that only reading finds.
  const text = isText && shown.text && (content?.length ?? 0) <= constants.MAX_STRING_LENGTH ? entity.text() : null
  void entity.ambiguous
  return {
    section: entity.section,
    // As the message says: in an encoding that nobody knows, `entity.type` is another (RFC 2045 §6.4).
    type: kind === 'rest' ? entity.type : mediaType.type,
    parameters: Object.fromEntries(entity.parameters),
    disposition: entity.disposition,
    fileName: entity.fileName,
    safeFileName: entity.safeFileName,
    contentId: entity.contentId,
    encoding: entity.encoding,
    charset: entity.charset,
    headerRange: { offset: start, length: bodyStart - start },
    bodyRange: { offset: bodyStart, length: end - bodyStart },
    decodedSize: content?.length ?? null,
    sha256: content === null ? null : createHash('sha256').update(content).digest('hex'),
    fields: entity.header.fields.map(({ name, value, offset }) => ({ name, value, offset })),
    defects: entity.defects.map(({ code, offset, severity }) => ({ code, offset, severity })),
    ...(shown.text ? { text } : {}),
    ...(shown.winmail && isWinmail(entity) ? { winmail: winmailFacts(openWinmail(entity.content())) } : {}),
    parts: entity.parts.map((part) => entityFacts(part, shown)),
  }
}

function isWinmail(entity: Entity): boolean {
  return entity.type === 'application/ms-tnef' || entity.fileName?.toLowerCase() === 'winmail.dat'
}

function winmailFacts({ subject, attachments, defects }: Winmail): WinmailFacts {
  return {
    subject,
    attachments: attachments.map(({ fileName, safeFileName, type, contentId, content }) => ({
      fileName,
      safeFileName,
      type,
      contentId,
      size: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    })),
    defects: defects.map(({ code, offset }) => ({ code, offset })),
  }
}

/** What the parser knows beyond the public names: where things are. */
function described(entity: Entity): Description {
  if (!(entity instanceof Description)) throw new TypeError('not an entity of parseMessage')
  return entity
}

/** Writes every leaf to a file of its own, never over another. */
async function extract(message: Entity, folder: OutputFolder, withWinmail: boolean, io: Io | undefined): Promise<void> {
  const write = async (from: string, name: string, content: Buffer): Promise<void> => {
    const written = await folder.write(name, once(content))
    await io?.out.write(`  ${from} → ${printable(written.name)}\n`)
  }
  for (const leaf of leavesOf(message)) {
    const from = leaf.section === '' ? 'content' : leaf.section
    const content = leaf.content()
    await write(from, leaf.safeFileName ?? `part${leaf.section === '' ? '' : `-${leaf.section}`}${fileExtension(leaf.type)}`, content)
    if (!withWinmail || !isWinmail(leaf)) continue
    for (const [index, inner] of openWinmail(content).attachments.entries()) {
      await write(`${from} winmail ${index + 1}`, winmailName(inner, index), inner.content)
    }
  }
}

const winmailName = ({ safeFileName, type }: WinmailAttachment, index: number): string => safeFileName ?? `winmail-${index + 1}${fileExtension(type)}`

function* leavesOf(entity: Entity): Generator<Entity> {
  if (entity.parts.length === 0) yield entity
  else for (const part of entity.parts) yield* leavesOf(part)
}

async function* once(octets: Buffer): AsyncGenerator<Buffer> {
  yield octets
}
