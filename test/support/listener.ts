import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { Connection } from './connection.ts'
import type { ServerTls } from './server-tls.ts'

export interface Listener {
  readonly port: number
  readonly connections: ReadonlySet<Connection>
  /** Ends all connections and settles when the port is free. */
  close(): Promise<void>
}

/** Serves each connection to a port of 127.0.0.1 that the system chooses, with TLS from the start when `tls` is given. */
export async function listen(serve: (connection: Connection) => Promise<void>, tls?: ServerTls): Promise<Listener> {
  const connections = new Set<Connection>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new Connection(socket)
    connections.add(connection)
    socket.on('close', () => connections.delete(connection))
    void conversation(connection, serve, tls)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server),
    connections,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const connection of connections) connection.destroy()
      await closed
    },
  }
}

async function conversation(connection: Connection, serve: (connection: Connection) => Promise<void>, tls: ServerTls | undefined): Promise<void> {
  try {
    if (tls !== undefined) await connection.upgrade(tls)
    await serve(connection)
  } catch {
    // The client left or its handshake failed: what a test wants to know of it, it sees on the client's side.
    connection.destroy()
  }
}

/** The port that the system chose for a server. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return address.port
}
