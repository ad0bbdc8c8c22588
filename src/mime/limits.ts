import { MailError } from '../errors.ts'
import { DEFECTS } from './defect.ts'

/** How much of a message is taken apart. What is past a limit is never lost: it stays reachable as raw octets, and a defect says where. */
export interface ParseLimits {
  /** Of nesting: the message is 0, its parts 1; a multipart or enclosed message at this depth is still opened. @default 100 */ depth: number
  /** Parts in all, at any depth, the message not counted. @default 10_000 */ parts: number
  /** Octets of one header section. @default 2 MiB */ headerBytes: number
  /** Octets of all header sections together. @default 8 MiB */ totalHeaderBytes: number
  /** Parameters of one field. @default 1_000 */ parameters: number
  /** Octets of the message. @default 4 GiB */ messageBytes: number
}

export interface ParseOptions {
  readonly limits?: Partial<ParseLimits> | undefined
  /** Turn defects into `ERR_CONTENT`: `true` all but notes, a list those it names (docs/defects.md). The whole message is then looked at, every field and
   *  all content that is read. @default false */
  readonly strict?: boolean | readonly string[] | undefined
  /** Past a limit the rest is one opaque leaf, or the call fails with `ERR_LIMIT`. @default 'leaf' */ readonly onLimit?: 'leaf' | 'error' | undefined
}

const DEFAULT_LIMITS: ParseLimits = {
  depth: 100,
  parts: 10_000,
  headerBytes: 2 * 1024 * 1024,
  totalHeaderBytes: 8 * 1024 * 1024,
  parameters: 1000,
  messageBytes: 4 * 1024 * 1024 * 1024,
}

/** Of `strict: true`. */
const WORSE_THAN_NOTES = Object.entries(DEFECTS).flatMap(([code, { severity }]) => (severity === 'note' ? [] : [code]))

/** `strict`: codes of the defects that are errors. */
export type CheckedParseOptions = Readonly<ReturnType<typeof checkParseOptions>>

/** Fails with `ERR_OPTION`. */
export function checkParseOptions(options: ParseOptions = {}) {
  if (typeof options !== 'object' || options === null) throw wrongOption('the option options must be an object')
  const { strict = false, onLimit = 'leaf' } = options
  const codes = typeof strict !== 'boolean' ? strict : strict ? WORSE_THAN_NOTES : []
  if (!Array.isArray(codes) || !codes.every((code: unknown) => typeof code === 'string' && Object.hasOwn(DEFECTS, code))) {
    throw wrongOption('the option strict must be true, false or a list of codes of defects')
  }
  if (onLimit !== 'leaf' && onLimit !== 'error') throw wrongOption("the option onLimit must be 'leaf' or 'error'")
  return { limits: checkLimits(DEFAULT_LIMITS, options.limits), strict: new Set<string>(codes), onLimit }
}

/** The limits that were given, and the others as they are by default. Fails with `ERR_OPTION`. */
export function checkLimits<L extends object>(defaults: L, given: Partial<L> | undefined): L {
  const limits = { ...defaults }
  if (typeof (given ?? {}) !== 'object') throw wrongOption('the option limits must be an object')
  for (const [name, value] of Object.entries<unknown>(given ?? {})) {
    if (!Object.hasOwn(defaults, name)) throw wrongOption(`there is no limit named ${JSON.stringify(name)}`)
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw wrongOption(`the option limits.${name} must be a whole number, 0 or more`)
    Object.assign(limits, { [name]: value })
  }
  return limits
}

export const wrongOption = (message: string): MailError => new MailError('ERR_OPTION', message, { phase: 'options' })
