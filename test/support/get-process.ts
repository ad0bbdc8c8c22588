// A process that gets documents and asks its parent what to do with each: `accept` or `reject`. Tests kill it at every step.
import { createHash } from 'node:crypto'
import { MailConnector, type GetOperation, type GetReport } from '../../src/index.ts'

export interface GetOrder {
  readonly port: number
  readonly ca: string
  readonly stateDirectory: string
  readonly operation: GetOperation
}

export type GetMessage =
  | {
      readonly document: {
        readonly id: string
        readonly attempt: number
        readonly redelivered: boolean
        readonly octets: number
        readonly sha256: string
      }
    }
  | { readonly report: GetReport }
  | { readonly error: string }

export type Verdict = 'accept' | 'reject'

const received: ((verdict: Verdict) => void)[] = []
const order = await new Promise<GetOrder>((resolve) => process.once('message', (message: GetOrder) => resolve(message)))
process.on('message', (verdict: Verdict) => received.shift()?.(verdict))

function tell(message: GetMessage): void {
  process.send?.(message)
}

const connector = new MailConnector({
  inbound: { host: 'localhost', port: order.port, tls: { ca: order.ca }, auth: { user: 'u1', password: 'pw-1' } },
  stateDirectory: order.stateDirectory,
})
try {
  const report = await connector.get(order.operation, async (document) => {
    const hash = createHash('sha256')
    let octets = 0
    for await (const chunk of document.content) {
      octets += chunk.length
      hash.update(chunk)
    }
    const { id, attempt, redelivered } = document
    const verdict = new Promise<Verdict>((resolve) => received.push(resolve))
    tell({ document: { id, attempt, redelivered, octets, sha256: hash.digest('hex') } })
    if ((await verdict) === 'reject') throw new Error('rejected')
  })
  tell({ report })
} catch (error) {
  tell({ error: error instanceof Error && 'code' in error ? String(error.code) : String(error) })
}
await connector.close()
process.disconnect()
