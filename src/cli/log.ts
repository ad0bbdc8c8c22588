import { printable } from '../bytes.ts'
import { tell, type Io } from './io.ts'

/** What the connector logs to, written for people: one line each. */
export interface ConsoleLog {
  trace(facts: object, message?: string): void
  debug(facts: object, message?: string): void
  info(facts: object, message?: string): void
  warn(facts: object, message?: string): void
  error(facts: object, message?: string): void
  child(facts: object): ConsoleLog
  isLevelEnabled(level: string): boolean
  /** How often `error` was written to, shown or not. */
  readonly errors: number
}

export type LogLevel = 'error' | 'warn' | 'debug'

/** One line an entry, from `level` upwards. */
export function consoleLog(io: Io, command: string, level: LogLevel): ConsoleLog {
  let errors = 0
  const write = (name: string) => (facts: object, message?: string) => {
    const text = message ?? name
    const details = level === 'debug' ? shownFacts(facts) : reason(facts)
    // What an interrupted run could not do is no news, and who reads no results any more wants no reasons either.
    if (!io.signal.aborted || level === 'debug') tell(io.err, `wirepost ${command}: ${name}: ${printable(text, 500)}${details}\n`)
  }
  const log: ConsoleLog = {
    trace: silent,
    debug: level === 'debug' ? write('debug') : silent,
    info: level === 'debug' ? write('info') : silent,
    warn: level === 'error' ? silent : write('warning'),
    error: (facts, message) => {
      errors++
      write('error')(facts, message)
    },
    child: () => log,
    isLevelEnabled: (name) => SHOWN[level].includes(name),
    get errors() {
      return errors
    },
  }
  return log
}

const SHOWN: Readonly<Record<LogLevel, readonly string[]>> = { error: ['error'], warn: ['warn', 'error'], debug: ['debug', 'info', 'warn', 'error'] }

function silent(): void {}

/** The fact that a person cannot do without. */
function reason(facts: object): string {
  if ('reason' in facts && typeof facts.reason === 'string') return `: ${printable(facts.reason, 300)}`
  const error = 'err' in facts ? facts.err : 'error' in facts ? facts.error : undefined
  if (typeof error === 'string') return `: ${printable(error, 300)}`
  return error instanceof Error ? `: ${printable(error.message, 300)}` : ''
}

function shownFacts(facts: object): string {
  const shown = Object.entries(facts)
    .filter(([name]) => name !== 'reason' && name !== 'error')
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    .map(([name, value]) => `${name}=${printable(String(value), 200)}`)
  return `${reason(facts)}${shown.length === 0 ? '' : ` (${shown.join(' ')})`}`
}
