import type { Io, Output, Terminal } from '../../../src/cli/io.ts'

export interface FakeIo extends Io {
  /** What was written so far. */
  readonly written: { out: string; err: string }
  readonly secrets: readonly string[]
  readonly abort: AbortController
}

export interface FakeOptions {
  readonly env?: Record<string, string>
  readonly stdin?: readonly Buffer[]
  readonly terminal?: Terminal
  readonly columns?: number
}

/** A process that only remembers. */
export function fakeIo({ env = {}, stdin = [], terminal, columns }: FakeOptions = {}): FakeIo {
  const written = { out: '', err: '' }
  const secrets: string[] = []
  const abort = new AbortController()
  const output = (name: 'out' | 'err'): Output => ({
    columns,
    write(text) {
      written[name] += text
      return Promise.resolve()
    },
  })
  return {
    stdin: streamOf(stdin),
    out: output('out'),
    err: output('err'),
    env,
    signal: abort.signal,
    terminal: () => terminal,
    conceal: (more) => void secrets.push(...more),
    written,
    secrets,
    abort,
  }
}

export async function* streamOf(chunks: readonly (Buffer | string | Error)[]): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of chunks) {
    await Promise.resolve()
    if (chunk instanceof Error) throw chunk
    yield Buffer.from(chunk)
  }
}

/** A terminal on which somebody types. */
export function fakeTerminal(keys: readonly string[]): Terminal & { shown: string; closed: boolean } {
  return {
    shown: '',
    closed: false,
    [Symbol.asyncIterator]: () => streamOf(keys),
    write(text) {
      this.shown += text
    },
    close() {
      this.closed = true
    },
  }
}
