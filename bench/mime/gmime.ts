// GMime through an adapter in C, compiled when it is first wanted and both a compiler and GMime's headers are there.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Subject } from '../family.ts'

const SOURCE = join('bench', 'peers', 'gmime.c')
const PROGRAM = join('.build', 'bench', 'gmime')

let obstacle: { readonly why: string | undefined } | undefined

function missing(): string | undefined {
  obstacle ??= { why: compile() }
  return obstacle.why
}

function compile(): string | undefined {
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs) return undefined
  const flags = said('pkg-config', '--cflags', '--libs', 'gmime-3.0')
  if (flags === undefined) return 'libgmime-3.0-dev is not installed (npm run bench -- --install installs it)'
  mkdirSync(dirname(PROGRAM), { recursive: true })
  const { status, error } = spawnSync('cc', ['-O2', '-Wall', '-o', PROGRAM, SOURCE, ...flags.split(/\s+/)], { stdio: ['ignore', 2, 2] })
  if (error !== undefined) return 'there is no C compiler'
  return status === 0 ? undefined : 'bench/peers/gmime.c could not be compiled'
}

function said(program: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? stdout.trim() : undefined
}

const version = (): string | undefined => said('pkg-config', '--modversion', 'gmime-3.0')

/** By its file stream, and by the memory-mapped one. */
export const gmime: readonly Subject[] = ['file', 'mmap'].map((how) => ({
  name: `GMime (${how})`,
  kind: 'peer',
  command: [PROGRAM, how],
  of: ['GMime'],
  missing,
  version,
  note: how === 'mmap' ? 'C; the mapped file counts as its memory' : 'C',
}))
