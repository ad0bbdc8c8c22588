import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { start } from '../processes.ts'
import type { Order } from './tally.ts'

/** Starts sink.ts; the order is for it. */
export async function startSink(
  more: Partial<Order> & Pick<Order, 'messages'>,
  isSecure: boolean,
  lateMs = 0,
): Promise<{ readonly order: Order; readonly stop: () => Promise<void> }> {
  const sink = await start(fileURLToPath(new URL('sink.js', import.meta.url)), [String(lateMs), isSecure ? 'tls' : 'plain'])
  const { port, control, ca }: Order = JSON.parse(sink.hello)
  const caFile = join('.build', 'bench', `sink-${port}.pem`)
  if (ca !== undefined) writeFileSync(caFile, ca)
  const stop = async (): Promise<void> => {
    sink.stop()
    rmSync(caFile, { force: true })
  }
  return { order: { file: '', ready: '', size: 0, ...more, port, control, ca, caFile }, stop }
}
