import { parseDecimal } from './grammar.ts'

/** What a server says that it can do (RFC 2449 §6 and later extensions), in the state in which it was asked last. All of it is server text. */
export type Pop3Features = Readonly<ReturnType<typeof parseFeatures>>

export function parseFeatures(capabilities: ReadonlyMap<string, readonly string[]>) {
  const has = (tag: string): boolean => capabilities.has(tag)
  const parameters = (tag: string): readonly string[] => (capabilities.get(tag) ?? []).map((one) => one.toUpperCase())
  const first = (tag: string): string => parameters(tag)[0] ?? ''
  const seconds = parseDecimal(first('LOGIN-DELAY'))
  const days: number | 'never' | undefined = first('EXPIRE') === 'NEVER' ? 'never' : parseDecimal(first('EXPIRE'))
  const perUser = (tag: string): boolean => parameters(tag).includes('USER')
  return {
    /** Mechanisms of AUTH, in upper case (RFC 5034). */ sasl: parameters('SASL'),
    /** `[…]` directly after `-ERR` is a response code. */ respCodes: has('RESP-CODES'),
    /** Wrong credentials are told from other failures of a login (RFC 3206). */ authRespCode: has('AUTH-RESP-CODE'),
    /** Between two logins. With `perUser` another value may hold for this user, and is told after the login. */
    loginDelay: seconds === undefined ? null : { seconds, perUser: perUser('LOGIN-DELAY') },
    /** Several commands may be under way (RFC 2449 §6.6). */ pipelining: has('PIPELINING'),
    /** How long messages are kept; with 0 days a message that was retrieved may be removed by QUIT. */
    expire: days === undefined ? null : { days, perUser: perUser('EXPIRE') },
    uidl: has('UIDL'),
    top: has('TOP'),
    /** USER and PASS. */ user: has('USER'),
    stls: has('STLS'),
    /** RFC 6856. `user`: names and passwords may be UTF-8. */ utf8: has('UTF8') ? { user: perUser('UTF8') } : null,
    lang: has('LANG'),
    implementation: capabilities.get('IMPLEMENTATION')?.join(' ') ?? null,
  }
}
