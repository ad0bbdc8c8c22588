import { printable } from '../bytes.ts'
import { helpText, readArguments, type Syntax } from './arguments.ts'
import { CONNECTION_OPTIONS, readConnection, SERVER_NOTES } from './connection.ts'
import { CommandError, describeFailure } from './failure.ts'
import { tell, type Io } from './io.ts'
import { jsonLine } from './json.ts'
import { checkServer, type Stage } from './stages.ts'
import { counted, humanOctets } from './table.ts'

export const TEST_SYNTAX: Syntax = {
  name: 'test',
  usage: 'SERVER [options]',
  summary: 'test a connection, stage by stage; gets and sends nothing',
  options: { json: { help: 'one JSON object a line: {"stage":{"name","ok",…}} for each' }, ...CONNECTION_OPTIONS },
  examples: ['wirepost test pop3s://alice%40example.com@pop.example.com', 'wirepost test smtp://smtp.example.com --user alice --trace'],
  notes: SERVER_NOTES,
}

/** `wirepost test`: 0 when every stage passed, else the status of the one that failed. */
export async function testCommand(args: readonly string[], io: Io, check: typeof checkServer = checkServer): Promise<number> {
  const given = readArguments(TEST_SYNTAX, args)
  if (given === undefined) {
    await io.out.write(helpText(TEST_SYNTAX))
    return 0
  }
  if (given.operands.length > 1) throw new CommandError('test takes one server; see «wirepost test --help»')
  const connection = await readConnection(given, io, given.operands[0])
  const { redact, options } = connection
  try {
    const stages = await check(connection.protocol, { ...options, signal: io.signal })
    for (const stage of stages) await io.out.write(redact(given.has('json') ? jsonStage(stage) : `${lineOf(stage)}\n`))
    const failed = stages.find((stage) => stage.error !== undefined)
    if (failed === undefined) return 0
    const { message, status } = describeFailure(failed.error)
    tell(io.err, `wirepost test: ${message}\n`)
    return status
  } finally {
    connection.close()
  }
}

function jsonStage({ name, facts, error }: Stage): string {
  return jsonLine({ stage: { name, ok: error === undefined, ...facts, ...(error === undefined ? {} : { error: describeFailure(error).message }) } })
}

function lineOf({ name, facts, error }: Stage): string {
  const details = [...sentences(name, facts)].join(', ')
  const mark = error === undefined ? (name === 'login' && facts['user'] === null ? '-' : 'ok') : 'FAILED'
  return `${mark.padEnd(6)}  ${name.padEnd(12)}  ${details}`.trimEnd()
}

function* sentences(name: Stage['name'], facts: Stage['facts']): Generator<string> {
  if (name === 'login') yield facts['user'] === null ? 'not tried: no user' : `as ${printable(text(facts['user']), 100)}`
  if (name === 'mailbox' && typeof facts['messages'] === 'number' && typeof facts['octets'] === 'number') {
    yield `${counted(facts['messages'], 'message')}, ${humanOctets(facts['octets'])}`
  }
  if (name === 'login' || name === 'mailbox') return
  if (facts['authorized'] === false) yield 'the certificate is NOT trusted'
  for (const [key, value] of Object.entries(facts)) {
    if (key === 'authorized') continue
    const shown = printable(text(value), 1000)
    yield key === 'validTo' ? `certificate valid to ${shown}` : shown
  }
}

function text(value: Stage['facts'][string] | undefined): string {
  return typeof value === 'object' && value !== null ? value.join(', ') : String(value)
}
