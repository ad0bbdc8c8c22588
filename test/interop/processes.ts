import { type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

const DEADLINE_MS = 30_000
const POLL_MS = 20

export interface Ids {
  readonly uid: number
  readonly gid: number
}

export function makeFolder(parent: string, name: string, owner?: Ids): string {
  const folder = join(parent, name)
  mkdirSync(folder, { mode: 0o755, recursive: true })
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  return folder
}

export function write(folder: string, name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o644 })
  return file
}

export function environment(): NodeJS.ProcessEnv {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' }
}

/** Ports that nobody has now. All are held until the last is known, so they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(holders.map((holder) => once(holder, 'listening')))
  const ports = holders.map((holder) => {
    const address = holder.address()
    return address === null || typeof address === 'string' ? 0 : address.port
  })
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')))
  return ports
}

export async function until(what: string, holds: () => Promise<boolean>, log: () => string): Promise<void> {
  const end = Date.now() + DEADLINE_MS
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} did not come about within ${DEADLINE_MS} ms\n${log()}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.end().resume())
  })
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(hard)
}

export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

export function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
