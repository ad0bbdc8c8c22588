import { expect, test } from 'vitest'
import { SmtpPool, type PooledConnection } from '../../../src/smtp/pool.ts'
import type { SubmittedContent } from '../../../src/smtp/envelope.ts'
import type { SmtpOptions } from '../../../src/smtp/options.ts'
import { untyped } from '../../support/smtp-replay.ts'

const ENVELOPE = { from: 'a@b.example', to: ['c@d.example'] }
const SERVER = { host: 'mail.example', security: 'none', maxConnections: 1 } as const

/** Takes everything. */
const taker: PooledConnection = {
  extensions: new Map(),
  depth: 1,
  usable: true,
  attempt: ({ to }) => {
    const reply = { status: 250, enhancedStatus: null, lines: [''] }
    const recipients = to.map((given) => ({ address: typeof given === 'string' ? given : given.address, outcome: 'accepted', reply }) as const)
    return Promise.resolve({ isBegun: true, receipt: { outcome: 'accepted', recipients, reply, octets: 3 } })
  },
  quit: () => Promise.resolve(),
}

test('S33: an abort in the tick in which a submission was given its place ends the making of the connection', async () => {
  const reason = new Error('enough')
  let asked: AbortSignal | undefined
  const silent = ({ signal }: SmtpOptions): Promise<PooledConnection> => {
    asked = signal
    return new Promise((_, reject) => {
      if (signal?.aborted === true) reject(signal.reason)
      else signal?.addEventListener('abort', () => reject(signal.reason))
    })
  }
  const pool = new SmtpPool(SERVER, silent)
  const ending = new AbortController()
  const receipt = pool.submit({ ...ENVELOPE, options: { signal: ending.signal } }, () => Buffer.from('x\r\n'))
  ending.abort(reason)
  await expect(receipt).rejects.toBe(reason)
  expect(asked?.aborted).toBe(true)
  await pool.close()
})

test.each<[string, SubmittedContent]>([
  ['text', untyped('no octets')],
  [
    'a source whose destroy throws',
    Object.assign(
      (async function* () {
        yield Buffer.from('x\r\n')
      })(),
      {
        destroy: () => {
          throw new Error('no')
        },
      },
    ),
  ],
])('%s as content neither changes what became of the message nor keeps the place of the next one', async (_name, content) => {
  const pool = new SmtpPool(SERVER, () => Promise.resolve(taker))
  expect((await pool.submit(ENVELOPE, () => content)).outcome).toBe('accepted')
  expect((await pool.submit(ENVELOPE, () => Buffer.from('x\r\n'))).outcome).toBe('accepted')
  await pool.close()
})

test.each<[string, Parameters<SmtpPool['submit']>[0]]>([
  ['no envelope', untyped(undefined)],
  ['text as options', untyped({ ...ENVELOPE, options: 'x' })],
  ['a signal that is none', untyped({ ...ENVELOPE, options: { signal: {} } })],
  ['an option that cannot be copied', untyped({ ...ENVELOPE, options: { dsn: () => {} } })],
])('%s is ERR_OPTION, before anything is connected', async (_name, envelope) => {
  const pool = new SmtpPool(SERVER, () => Promise.reject(new Error('connected')))
  await expect(pool.submit(envelope, () => Buffer.from('x\r\n'))).rejects.toMatchObject({ code: 'ERR_OPTION' })
  await pool.close()
})
