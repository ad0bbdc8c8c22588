import { randomUUID } from 'node:crypto'
import type { Channel } from 'node:diagnostics_channel'
import { visitServer } from '../connector/visit.ts'
import { connectChannel, pop3ReplyChannel, smtpReplyChannel, type DialogueMessage } from '../diagnostics.ts'
import { MailError, type Phase } from '../errors.ts'
import type { ServerOptions, TlsFacts } from '../tls/index.ts'

/** A step of the way to a server: its name in the DNS, TCP, TLS, its greeting, CAPA or EHLO, the login, and the maildrop. */
export type StageName = 'name' | 'connect' | 'tls' | 'greeting' | 'capabilities' | 'login' | 'mailbox'

/** What one step gave, as plain values for JSON; text of the server is in it as it came. */
export interface Stage {
  readonly name: StageName
  readonly facts: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
  /** Why it failed. */
  readonly error?: unknown
}

/**
 * Goes the whole way to a server and logs in where there are credentials, but neither gets nor sends anything. Gives the steps in their order; after
 * one with an `error` come no more. Throws `ERR_OPTION` and the reason of the signal.
 */
export async function checkServer(protocol: 'pop3' | 'smtp', options: ServerOptions): Promise<readonly Stage[]> {
  const label = randomUUID()
  const seen = observe(label)
  const order = ORDERS[options.security ?? 'tls'].filter((name) => protocol === 'pop3' || name !== 'mailbox')
  const facts = new Map<StageName, Stage['facts']>([['login', { user: options.auth?.user ?? null }]])
  let failure: { readonly at: StageName; readonly error: unknown } | undefined
  try {
    const { tls, capabilities, maildrop } = await visitServer(protocol, { ...options, label })
    if (tls !== null) facts.set('tls', tlsFacts(tls))
    facts.set('capabilities', { list: capabilities })
    if (maildrop !== undefined) facts.set('mailbox', maildrop)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!(error instanceof MailError) || error.phase === 'options') throw error
    failure = { at: stageOf(error), error }
  } finally {
    seen.stop()
  }
  if (seen.negotiated !== undefined && !facts.has('tls')) facts.set('tls', { negotiated: seen.negotiated })
  if (seen.greeting !== undefined) facts.set('greeting', { text: seen.greeting })
  // What was refused here, before the server said anything (credentials in clear text): no step before it was taken.
  if (failure !== undefined && seen.greeting === undefined && order.indexOf(failure.at) > order.indexOf('greeting')) {
    return [{ name: failure.at, facts: facts.get(failure.at) ?? {}, error: failure.error }]
  }
  const stages: Stage[] = []
  for (const name of order) {
    if (failure !== undefined && (failure.at === name || name === order.at(-1)))
      return [...stages, { name, facts: facts.get(name) ?? {}, error: failure.error }]
    stages.push({ name, facts: facts.get(name) ?? {} })
  }
  return stages
}

const ORDERS: Readonly<Record<NonNullable<ServerOptions['security']>, readonly StageName[]>> = {
  tls: ['name', 'connect', 'tls', 'greeting', 'capabilities', 'login', 'mailbox'],
  starttls: ['name', 'connect', 'greeting', 'capabilities', 'tls', 'login', 'mailbox'],
  none: ['name', 'connect', 'greeting', 'capabilities', 'login', 'mailbox'],
}

/** Which step an error belongs to. */
function stageOf({ code, phase }: MailError): StageName {
  return code === 'ERR_HOST_UNKNOWN' ? 'name' : (STAGES[phase] ?? 'mailbox')
}

const STAGES: Readonly<Partial<Record<Phase, StageName>>> = {
  connect: 'connect',
  tls: 'tls',
  stls: 'tls',
  starttls: 'tls',
  greeting: 'greeting',
  capa: 'capabilities',
  ehlo: 'capabilities',
  auth: 'login',
}

function tlsFacts({ version, cipher, authorized, reason, validTo }: TlsFacts): Stage['facts'] {
  return { version, cipher, authorized, ...(reason === undefined ? {} : { reason }), validTo: validTo.toISOString() }
}

interface Observer {
  greeting: string | undefined
  negotiated: string | undefined
  stop(): void
}

/** What a connection shows of itself, also when the attempt fails and there is no client to ask. */
function observe(label: string): Observer {
  const stops: (() => void)[] = []
  const observer: Observer = {
    greeting: undefined,
    negotiated: undefined,
    stop: () => {
      for (const stop of stops) stop()
    },
  }
  const listen = (channel: Channel, take: (line: string) => void): void => {
    const subscriber = (message: unknown): void => {
      if (isDialogue(message) && message.label === label) take(message.line)
    }
    channel.subscribe(subscriber)
    stops.push(() => channel.unsubscribe(subscriber))
  }
  listen(connectChannel, (line) => (observer.negotiated ??= line))
  for (const channel of [pop3ReplyChannel, smtpReplyChannel]) listen(channel, (line) => (observer.greeting ??= line))
  return observer
}

function isDialogue(message: unknown): message is DialogueMessage {
  return typeof message === 'object' && message !== null && 'line' in message && typeof message.line === 'string' && 'label' in message
}
