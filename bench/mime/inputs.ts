import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attachmentMessage } from '../messages.ts'
import type { Prepared } from '../family.ts'

const FOLDER = join('.build', 'bench')

export async function attachmentFile(bytes: number): Promise<Prepared> {
  mkdirSync(FOLDER, { recursive: true })
  const { message, octets, sha256 } = attachmentMessage((bytes * 57) / 78)
  const file = join(FOLDER, `base64-${bytes}.eml`)
  if (!existsSync(file) || statSync(file).size !== message.length) {
    writeFileSync(`${file}.part`, message)
    renameSync(`${file}.part`, file)
  }
  return { args: [file], expected: { parts: 2, octets, sha256 }, amount: message.length, stop: async () => {} }
}
