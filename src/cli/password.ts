import { createReadStream } from 'node:fs'
import type { Arguments } from './arguments.ts'
import { CommandError } from './failure.ts'
import { fileTrouble } from './file-trouble.ts'
import { Interrupted, type Io, type Terminal } from './io.ts'

/** More than any password or token, and less than a disk that was named by mistake. */
const MAX_BYTES = 64 * 1024

/**
 * The password for `user` at `host`: from --password-file, --password-env, WIREPOST_PASSWORD or a person at the terminal, in this order.
 * Never from the command line, where every user of the machine can read it.
 */
export async function readPassword(args: Arguments, io: Io, user: string, host: string): Promise<string> {
  const file = args.value('password-file')
  const variable = args.value('password-env')
  if (file !== undefined && variable !== undefined) throw new CommandError('--password-env and --password-file exclude each other; give one')
  if (file !== undefined) return check(await fromFile(file), 'the file of --password-file')
  if (variable !== undefined) {
    const value = io.env[variable]
    if (value === undefined || value === '')
      throw new CommandError('the environment variable of --password-env is not set or empty; export it, or use --password-file FILE')
    return check(value, 'the environment variable of --password-env')
  }
  const value = io.env['WIREPOST_PASSWORD']
  if (value !== undefined && value !== '') return check(value, 'WIREPOST_PASSWORD')
  const terminal = io.terminal()
  if (terminal === undefined)
    throw new CommandError('no password and no terminal to ask for it; set WIREPOST_PASSWORD or use --password-env NAME or --password-file FILE')
  return check(await ask(terminal, `Password of ${user} at ${host}: `, io.signal), 'the password')
}

function check(password: string, source: string): string {
  if (password === '') throw new CommandError(`${source} is empty; give the password of the mailbox`)
  // A line end would end the command and begin another (S1, P16).
  if (/[\0\r\n]/.test(password)) throw new CommandError(`${source} holds more than one line, or a NUL; a password is one line`)
  return password
}

async function fromFile(file: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of createReadStream(file, { end: MAX_BYTES }) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
    }
  } catch (error) {
    throw new CommandError(`cannot read the file of --password-file: ${fileTrouble(error)}`)
  }
  if (size > MAX_BYTES) throw new CommandError('the file of --password-file is too large for a password; name a file that holds only that')
  // Editors end a file with a line end, and some begin it with a byte order mark.
  return Buffer.concat(chunks)
    .toString()
    .replace(/^\uFEFF/, '')
    .replace(/\r?\n$/, '')
}

/** Asks without echo. Ctrl-C throws `Interrupted`; Ctrl-D or the end of the terminal ends the line; Ctrl-U clears it. */
async function ask(terminal: Terminal, question: string, signal: AbortSignal): Promise<string> {
  const onAbort = (): void => terminal.close()
  signal.addEventListener('abort', onAbort, { once: true })
  let typed: string[] = []
  const decoder = new TextDecoder()
  try {
    terminal.write(question)
    for await (const keys of terminal) {
      for (const key of decoder.decode(keys, { stream: true })) {
        switch (key) {
          case '\r':
          case '\n':
          case '\u0004':
            return typed.join('')
          case '\u0003':
            throw new Interrupted()
          case '\u007F':
          case '\b':
            typed.pop()
            break
          case '\u0015':
            typed = []
            break
          default:
            if (key >= ' ' && typed.length < MAX_BYTES) typed.push(key)
        }
      }
    }
    signal.throwIfAborted()
    return typed.join('')
  } finally {
    signal.removeEventListener('abort', onAbort)
    terminal.write('\n')
    terminal.close()
  }
}
