import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerAddresses } from './server-process.ts'

export interface ServerProcess extends ServerAddresses {
  readonly pid: number
  close(): Promise<void>
}

/** The mail server of `server-process.ts` in a second process. Only from compiled code: Node 20 cannot run TypeScript. */
export async function startServerProcess(user: string, password: string): Promise<ServerProcess> {
  const child = fork(fileURLToPath(new URL('server-process.js', import.meta.url)), {
    env: { ...process.env, WIREPOST_TEST_USER: user, WIREPOST_TEST_PASSWORD: password },
  })
  const ended = once(child, 'exit')
  const first: unknown[] | 'ended' = await Promise.race([once(child, 'message'), ended.then((): 'ended' => 'ended')])
  const addresses = first === 'ended' ? undefined : first[0]
  if (!isAddresses(addresses)) throw new Error('the mail server could not be started; its own message is above')
  return {
    ...addresses,
    pid: child.pid ?? 0,
    async close() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

function isAddresses(value: unknown): value is ServerAddresses {
  return typeof value === 'object' && value !== null && 'pop3s' in value
}
