import { MailError } from '../errors.ts'

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
  /** Turn defects other than notes into `ERR_CONTENT`. The whole message is then looked at, every field and all content that is read. @default false */
  readonly strict?: boolean | undefined
  /** Past a limit the rest is one opaque leaf, or the call fails with `ERR_LIMIT`. @default 'leaf' */ readonly onLimit?: 'leaf' | 'error' | undefined
}

export interface CheckedParseOptions {
  readonly limits: Readonly<ParseLimits>
  readonly strict: boolean
  readonly onLimit: 'leaf' | 'error'
}

export const DEFAULT_LIMITS: Readonly<ParseLimits> = {
  depth: 100,
  parts: 10_000,
  headerBytes: 2 * 1024 * 1024,
  totalHeaderBytes: 8 * 1024 * 1024,
  parameters: 1000,
  messageBytes: 4 * 1024 * 1024 * 1024,
}

const DEFAULTS: CheckedParseOptions = { limits: DEFAULT_LIMITS, strict: false, onLimit: 'leaf' }

/** Fails with `ERR_OPTION`. */
export function checkParseOptions(options: ParseOptions | undefined): CheckedParseOptions {
  if (options === undefined) return DEFAULTS
  if (typeof options !== 'object' || options === null) throw wrongOption('options', 'an object')
  const { strict = false, onLimit = 'leaf' } = options
  if (typeof strict !== 'boolean') throw wrongOption('strict', 'true or false')
  if (onLimit !== 'leaf' && onLimit !== 'error') throw wrongOption('onLimit', "'leaf' or 'error'")
  const given: unknown = options.limits ?? {}
  if (typeof given !== 'object' || given === null) throw wrongOption('limits', 'an object')
  const limits = { ...DEFAULT_LIMITS }
  for (const [name, value] of Object.entries(given)) {
    if (!isLimit(name)) throw new MailError('ERR_OPTION', `there is no limit named ${JSON.stringify(name)}`, { phase: 'options' })
    if (value === undefined) continue
    if (!Number.isSafeInteger(value) || value < 0) throw wrongOption(`limits.${name}`, 'a whole number, 0 or more')
    limits[name] = value
  }
  return { limits, strict, onLimit }
}

const isLimit = (name: string): name is keyof ParseLimits => Object.hasOwn(DEFAULT_LIMITS, name)

function wrongOption(name: string, expected: string): MailError {
  return new MailError('ERR_OPTION', `the option ${name} must be ${expected}`, { phase: 'options' })
}
