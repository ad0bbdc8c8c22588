import { expect, test } from 'vitest'
import { codeLines, importsOf, sourceFiles, type Import } from './source.ts'

const source = sourceFiles('src')

/** Everyone may use these. */
const SHARED = new Set(['src/abort.ts', 'src/errors.ts', 'src/bytes.ts', 'src/addr-spec.ts', 'src/diagnostics.ts'])

/** Folder → the folders whose code it may load, beside its own. */
const MAY_LOAD: Readonly<Record<string, readonly string[]>> = {
  '': ['connector', 'pop3', 'smtp', 'mime', 'tls'],
  wire: [],
  tls: [],
  mime: [],
  pop3: ['wire', 'tls'],
  smtp: ['wire', 'tls'],
  connector: ['pop3', 'smtp', 'mime', 'tls'],
  probe: ['pop3', 'smtp', 'wire', 'tls'],
  cli: ['', 'connector', 'probe', 'mime', 'tls'],
}

/** The folder below src, or '' for src itself. */
function folderOf(path: string): string {
  const [, folder = '', ...rest] = path.split('/')
  return rest.length > 0 ? folder : ''
}

function violations(rule: (path: string, one: Import) => boolean): string[] {
  return source.flatMap(({ path, imports }) => imports.filter((one) => !rule(path, one)).map(({ specifier }) => `${path} imports ${specifier}`))
}

test('imports point one way', () => {
  expect(
    violations((path, { target, typeOnly }) => {
      if (!target.startsWith('src/') || SHARED.has(target)) return true
      const [from, to] = [folderOf(path), folderOf(target)]
      if (SHARED.has(path)) return false
      if (from === to) return true
      // Types aside: what these three share with others is erased.
      if (typeOnly && ['mime', 'tls', 'wire'].includes(from)) return to !== 'cli'
      return MAY_LOAD[from]?.includes(to) === true
    }),
  ).toEqual([])
})

test('in pop3 and smtp only the clients load tls, and sessions load grammar, commands and wire', () => {
  const clients = new Set(['client.ts', 'pool.ts', 'index.ts', 'options.ts'])
  expect(
    violations((path, { target, typeOnly }) => {
      const name = path.split('/').at(-1) ?? ''
      if (!/^src\/(?:pop3|smtp)\//.test(path) || typeOnly) return true
      if (folderOf(target) === 'tls' && target.startsWith('src/')) return clients.has(name)
      return clients.has(name) || !/\/(?:client|pool|index)\.ts$/.test(target)
    }),
  ).toEqual([])
})

test('only tls/ reaches the network, and nothing else starts what it should not', () => {
  const network = new Set(['node:net', 'node:tls', 'node:dns', 'node:dns/promises', 'node:http', 'node:https', 'node:http2', 'node:dgram'])
  const never = new Set(['node:child_process', 'node:cluster', 'node:worker_threads', 'node:vm', 'node:inspector', 'node:module'])
  expect(violations((path, { target }) => !network.has(target) || folderOf(path) === 'tls')).toEqual([])
  expect(violations((_path, { target }) => !never.has(target))).toEqual([])
})

test('from npm comes pino alone, into connector/log.ts alone', () => {
  expect(violations((path, { target }) => /^(?:node:|src\/)/.test(target) || (target === 'pino' && path === 'src/connector/log.ts'))).toEqual([])
})

test('smtp-server is loaded under test/ only, nodemailer nowhere outside bench/peers/', () => {
  const everything = ['src', 'test', 'bench', 'scripts'].flatMap(sourceFiles).filter(({ path }) => !path.startsWith('bench/peers/'))
  const using = (name: string): string[] =>
    everything.filter(({ imports }) => imports.some(({ target }) => target === name || target.startsWith(`${name}/`))).map(({ path }) => path)
  expect(using('nodemailer')).toEqual([])
  expect(using('smtp-server').filter((path) => !path.startsWith('test/'))).toEqual([])
  expect(using('smtp-server')).not.toEqual([]) // or this test sees nothing
})

test('imports name files by their endings, and folders of src are those of the map', () => {
  expect(violations((_path, { specifier }) => !specifier.startsWith('.') || specifier.endsWith('.ts'))).toEqual([])
  expect([...new Set(source.map(({ path }) => folderOf(path)))].filter((folder) => MAY_LOAD[folder] === undefined)).toEqual([])
})

test('await stands only where the network is touched', () => {
  const allowed = /^src\/(?:tls|connector|cli|probe)\/|\/(?:client|pool)\.ts$|^src\/mime\/(?:reader|composer|mbox)\.ts$/
  const found = source
    .filter(({ path }) => !allowed.test(path))
    .flatMap(({ path, text }) =>
      codeLines(text)
        .filter(({ code }) => /\bawait\b/.test(code))
        .map(({ number }) => `${path}:${number}`),
    )
  expect(found).toEqual([])
})

test('the library reads no environment, ends no process and runs no text', () => {
  const forbidden = /\bprocess\.(?:env|exit|exitCode|on|once|argv|chdir|umask|stdout|stdin)\b|\beval\(|\bnew Function\(|\bFunction\(/
  const found = source
    .filter(({ path }) => !path.startsWith('src/cli/'))
    .flatMap(({ path, text }) =>
      codeLines(text)
        .filter(({ code }) => forbidden.test(code))
        .map(({ number, code }) => `${path}:${number} ${code.trim()}`),
    )
  expect(found).toEqual([])
})

test('source stays readable: fewer than 12,000 lines without the command, the probes and generated tables', () => {
  const counted = source.filter(({ path, text }) => !/^src\/(?:cli|probe)\//.test(path) && !/\bGenerated (?:by|from)\b/.test(text.slice(0, 400)))
  const lines = counted.reduce((sum, { text }) => sum + text.split('\n').length - 1, 0)
  expect(lines).toBeLessThan(12_000)
})

test('the scanner sees what it must see', () => {
  const text = `import type { A } from './a.ts'\nimport {\n  b,\n} from '../b.ts'\nimport 'node:net'\nexport * from "x"\nconst c = await import('./c.ts')\nexport const s = 'from "y"'\n`
  expect(importsOf('src/f/x.ts', text)).toEqual([
    { specifier: './a.ts', target: 'src/f/a.ts', typeOnly: true },
    { specifier: '../b.ts', target: 'src/b.ts', typeOnly: false },
    { specifier: 'node:net', target: 'node:net', typeOnly: false },
    { specifier: 'x', target: 'x', typeOnly: false },
    { specifier: './c.ts', target: 'src/f/c.ts', typeOnly: false },
  ])
})
