import { Pop3Client } from '../pop3/index.ts'
import { SmtpClient } from '../smtp/index.ts'
import type { ServerOptions } from '../tls/index.ts'

/** Connects, logs in where there are credentials, and quits: nothing is got or sent. Rejects with what the clients reject with. `capabilities` are
 *  keywords of CAPA or EHLO with their parameters: server text, to be escaped before it is shown to anyone. */
export async function visitServer(protocol: 'pop3' | 'smtp', options: ServerOptions) {
  if (protocol === 'smtp') {
    await using client = await SmtpClient.connect(options)
    const capabilities = [...client.extensions].map(([keyword, parameters]) => `${keyword} ${parameters}`.trim())
    await client.quit()
    return { tls: client.tls, capabilities }
  }
  await using client = await Pop3Client.connect(options)
  const capabilities = [...client.capabilities].map(([tag, parameters]) => [tag, ...parameters].join(' '))
  if (options.auth === undefined) return { tls: client.tls, capabilities }
  const { count, octets } = await client.stat()
  await client.quit()
  return { tls: client.tls, capabilities, maildrop: { messages: count, octets } }
}
