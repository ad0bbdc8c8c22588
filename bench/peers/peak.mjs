import { readFileSync } from 'node:fs'

/** Peak resident memory of this process in MiB, as the measured product's own scripts take it. */
export function peakMiB() {
  try {
    const kib = /VmHWM:\s*([0-9]+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    if (kib !== undefined) return Number(kib) / 1024
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS / 1024
}
