// What a program that is not Node's costs: its processor time as the shell tells it, its peak memory as the kernel does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

const SCRIPT = '"$@"; status=$?; times >&2; exit $status'
const POLL_MS = 4

/** Runs a program to its end. `onOutput` is given its standard output; without it that is thrown away. Rejects when it fails. */
export async function measure(program, args, onOutput) {
  const from = performance.now()
  const child = spawn('sh', ['-c', SCRIPT, 'sh', program, ...args], { stdio: ['ignore', onOutput === undefined ? 'ignore' : 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4096)))
  child.stdout?.on('data', onOutput)
  let peakBytes = 0
  const poll = setInterval(() => (peakBytes = Math.max(peakBytes, peakOf(childOf(child.pid)))), POLL_MS)
  const [code] = await once(child, 'close')
  clearInterval(poll)
  const ms = performance.now() - from
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors}`)
  return { ms, cpuMs: cpuOf(errors), peakBytes, idleBytes: 0 }
}

/** The line for children that `times` prints: `0m0.010000s 0m0.020000s`. */
function cpuOf(errors) {
  const [, user = 0, system = 0] = /([\d.]+)s \d+m([\d.]+)s\s*$/.exec(errors) ?? []
  return (Number(user) + Number(system)) * 1000
}

function childOf(pid) {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ')[0]
}

function peakOf(pid) {
  return Number(/VmHWM:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

function read(file) {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return '' // it has ended, or this is not Linux
  }
}
