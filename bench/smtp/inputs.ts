import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attachmentMessage } from '../messages.ts'
import { contentOf } from './tally.ts'

export interface AttachmentFiles {
  readonly file: string
  /** The message with it, ready-made. */ readonly ready: string
  readonly octets: number
  readonly sha256: string
}

/** A file of about `bytes` octets, and the message that has it as its base64 attachment. */
export function attachmentFiles(bytes: number): AttachmentFiles {
  const folder = join('.build', 'bench')
  mkdirSync(folder, { recursive: true })
  const { message, octets, sha256 } = attachmentMessage(bytes)
  const name = join(folder, `attached-${sha256.slice(0, 8)}-${octets}`)
  const [file, ready] = [`${name}.bin`, `${name}.message`]
  write(file, () => contentOf(message, 'attachment'))
  write(ready, () => message)
  return { file, ready, octets, sha256 }
}

/** Whole or not at all, so that a run that was ended leaves nothing that another would use. */
export function write(file: string, octets: () => Buffer | string): void {
  if (existsSync(file)) return
  writeFileSync(`${file}.part`, octets())
  renameSync(`${file}.part`, file)
}
