import type { Connection } from './connection.ts'
import { listen } from './listener.ts'
import type { ServerTls } from './server-tls.ts'

/** One step of a script. A step that does not come true is a failure, and ends the connection. */
export type Step =
  /** The next line must match, or begin with the text (ASCII case ignored). */
  | { readonly expect: RegExp | string }
  /** Lines are read until one matches; `'.'` means the whole line. */
  | { readonly skipTo: RegExp | '.' }
  /** Octets, each chunk in a segment of its own as far as loopback allows. Text is latin1 and complete: no line end is added. */
  | { readonly send: string | Uint8Array | readonly (string | Uint8Array)[] }
  /** TLS in place, with what was given as `goAhead` sent in the clear just before. Needs `tls`. */
  | { readonly upgrade: true; readonly goAhead?: string }
  /** Milliseconds of silence. */
  | { readonly pause: number }
  /** Nothing is said or read until the client leaves, FIN (`drop`), RST (`reset`). */
  | { readonly end: 'stall' | 'drop' | 'reset' }
  /** Whatever else. */
  | { readonly run: (connection: Connection) => Promise<void> }

export interface FakeServerOptions {
  /** For every connection, or by the number of the connection from 0. */ readonly script: readonly Step[] | ((connection: number) => readonly Step[])
  readonly tls?: ServerTls
  /** TLS from the start. @default false */ readonly implicitTls?: boolean
}

export interface FakeServer {
  readonly host: string
  readonly port: number
  /** Every line that steps read, by connection. */ readonly lines: readonly (readonly string[])[]
  /** Steps that did not come true. */ readonly failures: readonly string[]
  /** Connections that are open. */ readonly open: number
  /** Settles when every connection so far has ended. */ done(): Promise<void>
  close(): Promise<void>
}

/** A server on 127.0.0.1 that follows a script and knows no protocol: for clients that must survive what real servers do not do. */
export async function startFakeServer(options: FakeServerOptions): Promise<FakeServer> {
  const lines: string[][] = []
  const failures: string[] = []
  const running = new Set<Promise<unknown>>()
  const { script } = options
  const serve = async (connection: Connection): Promise<void> => {
    const number = lines.length
    const log: string[] = []
    lines.push(log)
    const steps = typeof script === 'function' ? script(number) : script
    const one = follow(connection, steps, options.tls, log)
    running.add(one)
    const failure = await one
    running.delete(one)
    if (failure !== undefined) failures.push(`connection ${number}: ${failure}`)
  }
  const listener = await listen(serve, options.implicitTls === true ? options.tls : undefined)
  return {
    host: '127.0.0.1',
    port: listener.port,
    lines,
    failures,
    get open() {
      return listener.connections.size
    },
    async done() {
      await Promise.all(running)
    },
    close: async () => listener.close(),
  }
}

async function follow(connection: Connection, steps: readonly Step[], tls: ServerTls | undefined, log: string[]): Promise<string | undefined> {
  for (const [number, step] of steps.entries()) {
    const failure = await take(connection, step, tls, log)
    if (failure === 'ended') return undefined
    if (failure === undefined) continue
    connection.destroy()
    return `step ${number}: ${failure}`
  }
  // After the script: whatever else the client says is read and answered with silence, until it leaves.
  for (let line = await connection.readLine(); line !== null; line = await connection.readLine()) log.push(line)
  connection.end()
  return undefined
}

async function take(connection: Connection, step: Step, tls: ServerTls | undefined, log: string[]): Promise<string | undefined> {
  if ('expect' in step) {
    const line = await connection.readLine()
    if (line === null) return `${String(step.expect)} was expected, but the client left`
    log.push(line)
    return matches(line, step.expect) ? undefined : `${String(step.expect)} was expected, but the client said ${JSON.stringify(line)}`
  }
  if ('skipTo' in step) {
    for (let line = await connection.readLine(); line !== null; line = await connection.readLine()) {
      if (step.skipTo === '.' ? line === '.' : step.skipTo.test(line)) return undefined
    }
    return `${String(step.skipTo)} was waited for, but the client left`
  }
  if ('send' in step) {
    const chunks = typeof step.send === 'string' || step.send instanceof Uint8Array ? [step.send] : step.send
    for (const chunk of chunks) if (!(await connection.writeAlone(chunk))) return undefined // a client may leave when it has had enough
    return undefined
  }
  if ('upgrade' in step) {
    if (tls === undefined) return 'there is no certificate to upgrade with'
    try {
      await connection.upgrade(tls, step.goAhead ?? '')
      return undefined
    } catch (error) {
      return String(error)
    }
  }
  if ('pause' in step) {
    await new Promise((resolve) => {
      setTimeout(resolve, step.pause).unref()
    })
    return undefined
  }
  if ('run' in step) {
    await step.run(connection)
    return undefined
  }
  if (step.end === 'stall') await connection.left()
  if (step.end === 'reset') connection.reset()
  else connection.end()
  return 'ended'
}

function matches(line: string, expected: RegExp | string): boolean {
  return typeof expected === 'string' ? line.toLowerCase().startsWith(expected.toLowerCase()) : expected.test(line)
}
