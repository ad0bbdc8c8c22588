#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { printable } from '../bytes.ts'
import { suggestion } from './arguments.ts'
import { CommandError, describeFailure } from './failure.ts'
import { Interrupted, OutputClosed, processIo, tell, type Io } from './io.ts'

type Run = (args: readonly string[], io: Io) => Promise<number>

/** Loaded when wanted: who parses a file loads no socket. */
const SUBCOMMANDS = new Map<string, () => Promise<Run>>([
  ['get', async () => (await import('./get.ts')).getCommand],
  ['send', async () => (await import('./send.ts')).sendCommand],
  ['test', async () => (await import('./test.ts')).testCommand],
  ['parse', async () => (await import('./parse.ts')).parseCommand],
])

const HELP = `wirepost: documents in and out of a mailbox

  wirepost get SERVER --out DIR [options]                       documents of a POP3 mailbox into a folder, each once
  wirepost send SERVER --from A --to 'B; C' [options] FILE…     documents out by SMTP
  wirepost test SERVER [options]                                a connection, stage by stage
  wirepost parse FILE… [options]                                the structure and the defects of messages

  wirepost SUBCOMMAND --help      all options of one, with examples
  wirepost --version

Examples:
  wirepost get pop3s://alice%40example.com@pop.example.com --out inbox
  wirepost send smtps://smtp.example.com --user alice --from alice@example.com --to edi@partner.example order.edi
`

async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    await io.out.write(HELP)
    return 0
  }
  if (name === '--version' || name === '-V') {
    await io.out.write(`${version()}\n`)
    return 0
  }
  if (name === 'help') return main([...rest.slice(0, 1), '--help'], io)
  const load = SUBCOMMANDS.get(name)
  if (load === undefined) {
    const what = name.startsWith('-') ? 'option' : 'subcommand'
    const names = what === 'option' ? ['--help', '--version'] : [...SUBCOMMANDS.keys()]
    throw new CommandError(`unknown ${what} ${printable(name, 40)}${suggestion(name, names)}; see «wirepost --help»`)
  }
  const run = await load()
  return run(rest, io)
}

function version(): string {
  const about: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : ''
}

/** Runs the command in this process. The exit status is set, and the process ends when what was written has left. */
async function start(): Promise<void> {
  const args = process.argv.slice(2)
  const abort = new AbortController()
  const io = processIo(abort)
  // 128 and the number of the signal, as shells have it. The second one does not wait for anybody.
  const onSignal = (_signal: string, number: number): void => {
    if (abort.signal.aborted) process.exit(128 + number)
    abort.abort(new Interrupted())
    if (io.err.columns !== undefined) tell(io.err, '\r\nwirepost: ending in order; once more ends at once\n')
    process.exitCode = 128 + number
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  let status: number
  try {
    status = await main(args, io)
  } catch (error) {
    status = complain(error, args, io)
  }
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
  process.exitCode ??= status
  // Whoever still writes to our standard input is not waited for.
  process.stdin.destroy()
  // What does not end by itself shall not keep a scheduler waiting.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

const LINGER_MS = 5000

function complain(error: unknown, args: readonly string[], io: Io): number {
  if (error instanceof Interrupted || io.signal.reason instanceof Interrupted) return 130
  // Nobody reads our results any more, as in `wirepost … | head`: nothing to say, and it is not done.
  if (error instanceof OutputClosed || io.signal.reason instanceof OutputClosed) return 1
  const { message, status } = describeFailure(error)
  const name = args[0] !== undefined && SUBCOMMANDS.has(args[0]) ? `wirepost ${args[0]}` : 'wirepost'
  tell(io.err, `${name}: ${message}\n`)
  if (args.includes('--trace') && error instanceof Error) tell(io.err, `${printableStack(error)}\n`)
  return status
}

function printableStack(error: Error): string {
  return (error.stack ?? '')
    .split('\n')
    .map((line) => printable(line, 300))
    .join('\n')
}

await start()
