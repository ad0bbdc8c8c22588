import { parseDecimal } from './grammar.ts'

/** What a server says that it can do (RFC 2449 §6 and later extensions), in the state in which it was asked last. All of it is server text. */
export interface Pop3Features {
  /** Mechanisms of AUTH, in upper case (RFC 5034). */ readonly sasl: readonly string[]
  /** `[…]` directly after `-ERR` is a response code. */ readonly respCodes: boolean
  /** Wrong credentials are told from other failures of a login (RFC 3206). */ readonly authRespCode: boolean
  /** Between two logins. `perUser`: another value may hold for this user, and is told after the login. */
  readonly loginDelay: { readonly seconds: number; readonly perUser: boolean } | null
  /** Several commands may be under way (RFC 2449 §6.6). */ readonly pipelining: boolean
  /** How long messages are kept; with 0 days a message that was retrieved may be removed by QUIT. */
  readonly expire: { readonly days: number | 'never'; readonly perUser: boolean } | null
  readonly uidl: boolean
  readonly top: boolean
  /** USER and PASS. */ readonly user: boolean
  readonly stls: boolean
  /** RFC 6856. `user`: names and passwords may be UTF-8. */ readonly utf8: { readonly user: boolean } | null
  readonly lang: boolean
  readonly implementation: string | null
}

export function parseFeatures(capabilities: ReadonlyMap<string, readonly string[]>): Pop3Features {
  const parameters = (tag: string): readonly string[] => (capabilities.get(tag) ?? []).map((one) => one.toUpperCase())
  const [delay = '', ...ofDelay] = parameters('LOGIN-DELAY')
  const [expire = '', ...ofExpire] = parameters('EXPIRE')
  const seconds = parseDecimal(delay)
  const days = expire === 'NEVER' ? 'never' : parseDecimal(expire)
  return {
    sasl: parameters('SASL'),
    respCodes: capabilities.has('RESP-CODES'),
    authRespCode: capabilities.has('AUTH-RESP-CODE'),
    loginDelay: seconds === undefined ? null : { seconds, perUser: ofDelay.includes('USER') },
    pipelining: capabilities.has('PIPELINING'),
    expire: days === undefined ? null : { days, perUser: ofExpire.includes('USER') },
    uidl: capabilities.has('UIDL'),
    top: capabilities.has('TOP'),
    user: capabilities.has('USER'),
    stls: capabilities.has('STLS'),
    utf8: capabilities.has('UTF8') ? { user: parameters('UTF8').includes('USER') } : null,
    lang: capabilities.has('LANG'),
    implementation: capabilities.get('IMPLEMENTATION')?.join(' ') ?? null,
  }
}
