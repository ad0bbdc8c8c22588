import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ROOT } from './source.ts'

const ENTRIES = ['wirepost', 'wirepost/pop3', 'wirepost/smtp', 'wirepost/mime', 'wirepost/tls'] as const

interface Packed {
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}

let packed: Packed

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--if-stale'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  const cli = process.env['npm_execpath']
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline']
  const options = { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' && cli === undefined, maxBuffer: 16_777_216 } as const
  const stdout =
    cli !== undefined && basename(cli) === 'npm-cli.js' ? execFileSync(process.execPath, [cli, ...args], options) : execFileSync('npm', args, options)
  const [first]: Packed[] = JSON.parse(stdout)
  if (first === undefined) throw new Error('npm pack said nothing')
  packed = first
})

test('the tarball holds the built package and its papers, and nothing else', () => {
  const paths = packed.files.map(({ path }) => path)
  const others = paths.filter((path) => !/^dist\/.+\.(?:js|d\.ts)$|^docs\/[\w-]+\.md$/.test(path))
  expect(others.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'])
  for (const unwanted of [/\.map$/, /(?:^|\/)tests?\/|\.test\./, /bench/, /\.tsbuildinfo$/, /node_modules/])
    expect(paths.filter((path) => unwanted.test(path))).toEqual([])
  for (const path of paths) if (path.endsWith('.js')) expect(paths).toContain(path.replace(/\.js$/, '.d.ts'))
})

test('what the exports and the command name is in it', () => {
  const manifest: { exports: Record<string, string | Record<string, string>>; bin: Record<string, string> } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  )
  const named = [
    ...Object.values(manifest.exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one))),
    ...Object.values(manifest.bin),
  ]
  const paths = new Set(packed.files.map(({ path }) => path))
  expect(named.map((path) => path.replace(/^\.\//, '')).filter((path) => !paths.has(path))).toEqual([])
  expect(readFileSync(join(ROOT, 'dist/cli/main.js'), 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true)
})

test('its size stays what an audit can read', () => {
  expect(packed.size).toBeLessThan(600_000)
  expect(packed.unpackedSize).toBeLessThan(2_500_000)
})

/** Runs module code that is given text of a program, in the checkout's folder so that `wirepost` names the built package. */
function inChild(program: string, flags: readonly string[] = []): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
  })
}

test.each(ENTRIES)('importing %s does nothing: no handle, no environment, no global, no listener', (entry) => {
  const { status, stdout, stderr } = inChild(`
    import net from 'node:net'
    import dns from 'node:dns'
    import fs from 'node:fs'
    const happened = []
    for (const [owner, names] of [[net.Socket.prototype, ['connect']], [net.Server.prototype, ['listen']], [dns, ['lookup', 'resolve']],
      [fs, ['openSync', 'writeSync', 'writeFileSync', 'mkdirSync', 'open', 'createWriteStream']]]) {
      for (const name of names) { const real = owner[name]; owner[name] = function (...args) { happened.push(name + ' ' + String(args[0])); return real.apply(this, args) } }
    }
    process.env = new Proxy(process.env, { get: (env, name) => { if (new Error().stack.includes('/dist/')) happened.push('env ' + String(name)); return env[name] } })
    const seen = () => ({ globals: Object.getOwnPropertyNames(globalThis).sort(), listeners: process.eventNames().map(String).sort(), handles: process.getActiveResourcesInfo().filter((one) => !/^(Pipe|TTY|FS|Close)/.test(one)) })
    const before = seen()
    const names = Object.keys(await import('${entry}'))
    const after = seen()
    for (const name of Object.keys(before)) if (JSON.stringify(before[name]) !== JSON.stringify(after[name])) happened.push(name + ' changed: ' + JSON.stringify(after[name]))
    console.log(JSON.stringify({ happened, exported: names.length > 0 }))
  `)
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual({ happened: [], exported: true })
  expect(status).toBe(0)
})

test('every entry loads under the flags of strict embedders and with no permission but reading', () => {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  const flags = [
    '--disallow-code-generation-from-strings',
    '--disable-proto=throw',
    '--no-addons',
    '--no-warnings',
    permission,
    `--allow-fs-read=${ROOT}${process.platform === 'win32' ? '\\' : '/'}*`,
  ]
  const { status, stderr } = inChild(ENTRIES.map((entry) => `await import('${entry}')`).join('\n'), flags)
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

test('only the main entry loads pino', () => {
  const loading = ENTRIES.filter((entry) => {
    const program = `import { createRequire } from 'node:module'
      await import('${entry}')
      console.log(Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('pino')))`
    return inChild(program).stdout === 'true\n'
  })
  expect(loading).toEqual(['wirepost'])
})
