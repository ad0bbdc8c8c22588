// npm run bench -- file FILE.eml: a message of one's own through all parsers, from the file, and again and again in memory.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Family, Prepared, Workload } from '../family.ts'
import { BOX, inMemory, STREAM, streaming } from './family.ts'

/** Of the copies together; a larger message is read once. */
const BOX_OCTETS = 16_000_000
const MOST_COPIES = 2000

/** Nobody knows what is right here: the table shows how many parts and octets each of them found. */
export function ownFamily(file: string): Family {
  const message = readFileSync(file)
  const name = basename(file)
  const workload = (how: string, does: string, subjects: Workload['subjects'], amount: number, args: () => readonly string[]): Workload => ({
    name: `${name}, ${how}`,
    unit: 'MB/s',
    does,
    amount: () => amount,
    subjects,
    goals: [],
    prepare: async (): Promise<Prepared> => ({ args: args(), expected: {}, stop: async () => {} }),
  })
  const workloads = [workload('from the file', STREAM, streaming, message.length, () => ['stream', file])]
  const copies = Math.min(MOST_COPIES, Math.floor(BOX_OCTETS / Math.max(1, message.length)))
  if (copies > 0) {
    const make = (): readonly string[] => {
      const box = join('.build', 'bench', 'own.box')
      mkdirSync(join('.build', 'bench'), { recursive: true })
      const head = Buffer.from(`${message.length}\n`)
      writeFileSync(box, Buffer.concat(Array.from({ length: copies }, () => [head, message]).flat()))
      return ['box', box]
    }
    workloads.push(workload(`${copies.toLocaleString('en')} times in memory`, BOX, inMemory, copies * message.length, make))
  }
  return { name: 'mime', title: `${name}, ${message.length.toLocaleString('en')} octets`, workloads }
}
