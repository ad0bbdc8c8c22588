import { createHash } from 'node:crypto'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OutputFolder } from '../../../src/cli/folder.ts'
import { streamOf } from './fake-io.ts'

const WORDS = { option: '--out DIR', consequence: 'its message stays on the server' }

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'wirepost-folder-'))
})
afterEach(() => rm(root, { recursive: true }))

async function written(name: string): Promise<string> {
  return readFile(join(root, name), 'utf8')
}

test('writes whole content under its name, with size and SHA-256', async () => {
  const folder = await OutputFolder.open(root, WORDS)
  let moved = 0
  const file = await folder.write('a.edi', streamOf(['one ', 'two']), (octets) => (moved += octets))
  expect(file).toEqual({ name: 'a.edi', size: 7, sha256: createHash('sha256').update('one two').digest('hex') })
  expect(moved).toBe(7)
  expect(await written('a.edi')).toBe('one two')
  expect(await readdir(root)).toEqual(['a.edi'])
})

test('makes the folder with those above it', async () => {
  const folder = await OutputFolder.open(join(root, 'a', 'b'), WORDS)
  await folder.write('x', streamOf([]))
  expect(await written('a/b/x')).toBe('')
})

test('never overwrites: files, folders, dangling links and what another run has just written', async () => {
  await writeFile(join(root, 'a.tar.gz'), 'old')
  await mkdir(join(root, 'b'))
  await symlink('/nonexistent/target', join(root, 'c.txt'))
  const [one, two] = [await OutputFolder.open(root, WORDS), await OutputFolder.open(root, WORDS)]
  expect((await one.write('a.tar.gz', streamOf(['1']))).name).toBe('a.tar-2.gz')
  expect((await two.write('a.tar.gz', streamOf(['2']))).name).toBe('a.tar-3.gz')
  expect((await one.write('b', streamOf(['3']))).name).toBe('b-2')
  expect((await one.write('c.txt', streamOf(['4']))).name).toBe('c-2.txt')
  expect(await written('a.tar.gz')).toBe('old')
  expect((await lstat(join(root, 'c.txt'))).isSymbolicLink()).toBe(true)
})

test('two writers of one name at the same time get two names', async () => {
  const folders = await Promise.all(Array.from({ length: 8 }, () => OutputFolder.open(root, WORDS)))
  const files = await Promise.all(folders.map((folder, index) => folder.write('same.edi', streamOf([`${index}`]))))
  expect(new Set(files.map(({ name }) => name)).size).toBe(8)
  for (const [index, { name }] of files.entries()) expect(await written(name)).toBe(`${index}`)
})

test('tells case twins and NFC/NFD twins apart on every file system (M44)', async () => {
  await writeFile(join(root, 'Invoice.EDI'), 'old')
  const folder = await OutputFolder.open(root, WORDS)
  expect((await folder.write('invoice.edi', streamOf([]))).name).toBe('invoice-2.edi')
  expect((await folder.write('caf\u00E9', streamOf([]))).name).toBe('caf\u00E9')
  expect((await folder.write('cafe\u0301', streamOf([]))).name).toBe('cafe\u0301-2')
})

test.each([
  ['../../etc/passwd', '.._.._etc_passwd'],
  ['..\\..\\x', '.._.._x'],
  ['/abs', '_abs'],
  ['..', '_..'],
  ['.', '_.'],
  ['', '_'],
  ['a\0b', 'a_b'],
  ['.wirepost', '_.wirepost'],
  [`.wirepost-00000000-1-${'0'.repeat(32)}.part`, `_.wirepost-00000000-1-${'0'.repeat(32)}.part`],
  ['.htaccess', '.htaccess'],
])('%j stays in the folder as %j (M44)', async (name, given) => {
  const folder = await OutputFolder.open(root, WORDS)
  expect((await folder.write(name, streamOf(['x']))).name).toBe(given)
  expect(await written(given)).toBe('x')
})

test('long names keep their end and stay within 200 octets, also with a number', async () => {
  const folder = await OutputFolder.open(root, WORDS)
  const name = `${'😀'.repeat(48)}.edi`
  expect((await folder.write(name, streamOf([]))).name).toBe(name)
  const second = (await folder.write(name, streamOf([]))).name
  expect(second).toMatch(/^(?:😀)+-2\.edi$/u)
  expect(Buffer.byteLength(second)).toBeLessThanOrEqual(200)
  expect(Buffer.byteLength((await folder.write('ä'.repeat(5_000_000), streamOf([]))).name)).toBeLessThanOrEqual(200)
})

test('content that breaks leaves nothing behind, and rejects with its own error', async () => {
  const folder = await OutputFolder.open(root, WORDS)
  const broken = new Error('the line broke')
  await expect(folder.write('a', streamOf(['half', broken]))).rejects.toBe(broken)
  expect(await readdir(root)).toEqual([])
})

test('a folder that is gone fails the document with status 1 and in one line', async () => {
  const inside = join(root, 'gone')
  const folder = await OutputFolder.open(inside, WORDS)
  await rm(inside, { recursive: true })
  await expect(folder.write('a\u001B[2J', streamOf(['x']))).rejects.toMatchObject({
    status: 1,
    message: expect.stringMatching(/^cannot write a\\u\{1b\}\[2J to .*: it does not exist; its message stays on the server$/),
  })
})

test('a file in place of the folder is wrong use', async () => {
  await writeFile(join(root, 'file'), '')
  await expect(OutputFolder.open(join(root, 'file'), WORDS)).rejects.toMatchObject({ status: 2, message: expect.stringContaining('--out DIR') })
  await expect(OutputFolder.open(join(root, 'file', 'x'), WORDS)).rejects.toMatchObject({
    status: 2,
    message: expect.stringContaining('is not a folder'),
  })
})

test.runIf(process.platform === 'linux')('a place where nothing can be made is refused at once', async () => {
  await expect(OutputFolder.open('/proc/nowhere/inbox', WORDS)).rejects.toMatchObject({ status: 2 })
})

test('removes what a crash of ours left, and nothing else', async () => {
  const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
  const random = 'a'.repeat(32)
  const ofDead = `.wirepost-${machine}-4194999-${random}.part` // above the greatest pid of Linux
  const ofLiving = `.wirepost-${machine}-${process.ppid}-${random}.part`
  const ofEarlierSelf = `.wirepost-${machine}-${process.pid}-${random}.part`
  const elsewhere = `.wirepost-00000000-1-${random}.part`
  const elsewhereLongAgo = `.wirepost-00000000-2-${random}.part`
  const similar = `.wirepost-${machine}-4194999-x.part`
  for (const name of [ofDead, ofLiving, ofEarlierSelf, elsewhere, elsewhereLongAgo, similar]) await writeFile(join(root, name), 'half')
  await mkdir(join(root, `.wirepost-${machine}-4194998-${random}.part`))
  const longAgo = new Date(Date.now() - 48 * 3_600_000)
  await utimes(join(root, elsewhereLongAgo), longAgo, longAgo)
  await OutputFolder.open(root, WORDS)
  expect((await readdir(root)).toSorted()).toEqual([ofLiving, elsewhere, similar, `.wirepost-${machine}-4194998-${random}.part`].toSorted())
})
