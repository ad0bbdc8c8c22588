import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesIn, ROOT } from './source.ts'

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string
        readonly integrity?: string
        readonly dev?: boolean
        readonly hasInstallScript?: boolean
        readonly license?: string
      }
    >
  >
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}

const lock: Lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const packages = Object.entries(lock.packages).filter(([path]) => path !== '')

test('the manifest: one dependency, exact development tools, nothing that runs at install', () => {
  expect(manifest).toMatchObject({
    name: 'wirepost',
    type: 'module',
    license: 'MIT',
    sideEffects: false,
    engines: { node: '>=20.19' },
    bin: { wirepost: 'dist/cli/main.js' },
  })
  const { dependencies, devDependencies, scripts } = manifest
  expect(Object.keys(dependencies)).toEqual(['pino'])
  expect(Object.keys(devDependencies)).not.toContain('nodemailer')
  for (const version of Object.values(devDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(Object.keys(scripts).filter((name) => /^(?:pre|post)|install|prepare|prepublish/.test(name))).toEqual([])
  for (const name of ['peerDependencies', 'optionalDependencies', 'bundleDependencies']) expect(manifest).not.toHaveProperty(name)
})

test('the lock file: digests, and no address from which anything was downloaded', () => {
  for (const file of ['package-lock.json', 'bench/peers/package-lock.json'].filter((path) => existsSync(join(ROOT, path)))) {
    expect(readFileSync(join(ROOT, file), 'utf8')).not.toMatch(/"resolved"|registry|npmjs|\.tgz/)
  }
  expect(packages.length).toBeGreaterThan(0)
  expect(packages.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path)).toEqual([])
})

test('what an embedder installs: pino and its twelve, without install scripts, under MIT or ISC', () => {
  const runtime = packages.filter(([, { dev }]) => dev !== true)
  expect(runtime.map(([path]) => path.replace('node_modules/', ''))).toHaveLength(13)
  expect(runtime.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([])
  expect(runtime.filter(([, { license }]) => license !== 'MIT' && license !== 'ISC')).toEqual([])
})

test('docs/errors.md has a heading for each code, and no other', () => {
  const unions = readFileSync(join(ROOT, 'src/errors.ts'), 'utf8').match(/^type \w+Code = .*$/gm) ?? []
  const codes = [...unions.join('\n').matchAll(/'(ERR_[A-Z0-9_]+)'/g)].map(([, code = '']) => code).toSorted((one, other) => one.localeCompare(other))
  const headings = [...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^#+ `?(ERR_[A-Z0-9_]+)`?$/gm)]
    .map(([, code = '']) => code)
    .toSorted((one, other) => one.localeCompare(other))
  expect(codes.length).toBeGreaterThan(20)
  expect(headings).toEqual(codes)
})

test('the documents that the package promises are there, and their links lead somewhere', () => {
  for (const file of [
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'SECURITY.md',
    'CONTRIBUTING.md',
    ...filesIn('docs').filter((path) => path.endsWith('.md')),
  ]) {
    expect(existsSync(join(ROOT, file)), file).toBe(true)
    const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : ''
    for (const [, target = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(/\]\(((?!https?:|#|mailto:)[^)#]+)(?:#[^)]*)?\)/g)) {
      expect(existsSync(join(ROOT, folder, target)), `${file} → ${target}`).toBe(true)
    }
  }
})

test('no path of somebody’s machine stands in the repository', () => {
  const tracked = existsSync(join(ROOT, '.git')) ? execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0') : []
  const machine = /(?:^|[\s'"`(=:])\/(?:work|root|home|Users)\/\w/
  const found = tracked.filter(
    (path) =>
      path !== '' &&
      /\.(?:ts|mjs|js|json|md|sh|yml)$|^\.|run$/.test(path) &&
      existsSync(join(ROOT, path)) &&
      machine.test(readFileSync(join(ROOT, path), 'utf8')),
  )
  expect(found).toEqual([])
})
