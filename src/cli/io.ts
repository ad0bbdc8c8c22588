import { openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { CommandError } from './failure.ts'
import { errorCode, fileTrouble } from './file-trouble.ts'

/** Everything that a subcommand sees of the process it runs in. */
export interface Io {
  /** Standard input, once. Leaving the loop early closes it. */
  readonly stdin: AsyncIterable<Buffer>
  /** Where results go. */
  readonly out: Output
  /** Where progress, log and complaints go. */
  readonly err: Output
  /** From now on standard error shows `***` in place of these. Results are left alone: a file may well be called like a password. */
  conceal(secrets: readonly string[]): void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted with `Interrupted` by the first SIGINT or SIGTERM, and with `OutputClosed` when nobody reads the results any more. */
  readonly signal: AbortSignal
  /** The terminal a person sits at, or `undefined` where there is none. */
  terminal(): Terminal | undefined
}

export interface Output {
  /** Settles when more is wanted. Rejects with `OutputClosed` when the reader is gone. Text from strangers must be `printable`. */
  write(text: string): Promise<void>
  /** Width in characters when it is a terminal, else `undefined`. */
  readonly columns: number | undefined
}

/** Writes what nobody waits for: a reader who is gone, is gone. */
export function tell(output: Output, text: string): void {
  output.write(text).catch(() => undefined)
}

/** Keys without echo, and a place for the question. */
export interface Terminal extends AsyncIterable<Buffer> {
  write(text: string): void
  close(): void
}

/** The reader of our results has closed its end (`wirepost … | head`): nobody is left to tell anything. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
  constructor() {
    super('standard output was closed')
  }
}

/** A person or the system wants us to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  constructor() {
    super('interrupted')
  }
}

/** The real process as `Io`. `abort` is called when the reader of standard output is gone. */
export function processIo(abort: AbortController): Io {
  // Who closes standard error does not want to hear us; the results matter still.
  const err = streamOutput(process.stderr, undefined)
  const concealed: string[] = []
  return {
    stdin: process.stdin,
    out: streamOutput(process.stdout, abort),
    err: {
      write: (text) => err.write(concealed.reduce((left, secret) => left.replaceAll(secret, '***'), text)),
      get columns() {
        return err.columns
      },
    },
    conceal: (secrets) => void concealed.push(...secrets),
    env: process.env,
    signal: abort.signal,
    terminal,
  }
}

function streamOutput(stream: NodeJS.WriteStream, abort: AbortController | undefined): Output {
  let closed = false
  stream.on('error', (error: Error) => {
    closed = true
    abort?.abort(outputError(error))
  })
  return {
    write: (text) =>
      new Promise<void>((resolve, reject) => {
        if (closed && abort !== undefined) return reject(new OutputClosed())
        if (closed) return resolve()
        stream.write(text, (error) => {
          if (error === undefined || error === null || abort === undefined) resolve()
          else reject(outputError(error))
        })
      }),
    get columns() {
      // A terminal of unknown width (0) is one of 80.
      return stream.isTTY ? stream.columns || 80 : undefined
    },
  }
}

function outputError(error: unknown): Error {
  if (errorCode(error) === 'EPIPE') return new OutputClosed()
  return new CommandError(`cannot write to standard output: ${fileTrouble(error)}`, 1)
}

/** The terminal of the process, even when standard input or standard error are redirected; none where no person can be (cron, a service). */
function terminal(): Terminal | undefined {
  if (!process.stdin.isTTY && !process.stderr.isTTY) return undefined
  if (process.platform === 'win32') {
    if (!process.stdin.isTTY) return undefined
    return rawTerminal(
      process.stdin,
      (text) => void process.stderr.write(text),
      () => process.stdin.pause(),
    )
  }
  try {
    const descriptor = openSync('/dev/tty', 'r+')
    const keys = new ReadStream(descriptor)
    return rawTerminal(
      keys,
      (text) => void writeSync(descriptor, text),
      () => keys.destroy(),
    )
  } catch {
    return undefined
  }
}

function rawTerminal(keys: ReadStream, write: (text: string) => void, release: () => void): Terminal {
  keys.setRawMode(true)
  let open = true
  return {
    write,
    [Symbol.asyncIterator]: () => keys.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>,
    close() {
      if (!open) return
      open = false
      keys.setRawMode(false)
      release()
    },
  }
}
