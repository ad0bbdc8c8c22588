import { connect as connectSocket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { checkServerOptions, connect, POP3_DEFAULTS } from '../../src/tls/index.ts'
import { start } from '../processes.ts'
import type { Micro, Prepared } from './support/micro.ts'

const MEBIBYTES = 16
const OCTETS = MEBIBYTES * 1024 * 1024
const QUESTION = Buffer.alloc(MEBIBYTES)
const WAIT_MS = 30_000

export const micros: readonly Micro[] = [
  {
    name: 'socket read',
    unit: 'MB',
    plainly: "a listener to 'data', as on a socket that was upgraded",
    async prepare(): Promise<Prepared> {
      const server = await start(fileURLToPath(new URL('support/octet-server.js', import.meta.url)), [])
      const port = Number(server.hello)
      const transport = await connect(checkServerOptions({ host: '127.0.0.1', port, security: 'none' }, POP3_DEFAULTS))
      const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true })
      let wake: (() => void) | undefined
      let arrived = 0
      socket.on('data', (chunk: Buffer) => {
        arrived += chunk.length
        if (arrived >= OCTETS) wake?.()
      })
      return {
        amount: OCTETS,
        async run() {
          await transport.write([QUESTION], 'retr', WAIT_MS)
          let octets = 0
          while (octets < OCTETS) octets += (await transport.read('retr', WAIT_MS))?.length ?? OCTETS
          return octets
        },
        async plain() {
          arrived = 0
          socket.write(QUESTION)
          await new Promise<void>((resolve) => (wake = resolve))
          return arrived
        },
        stop() {
          transport.destroy(new Error('done'))
          socket.destroy()
          server.stop()
        },
      }
    },
  },
]
