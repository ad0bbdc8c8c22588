import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import { TEST_SYNTAX } from '../../../src/cli/test.ts'
import { readPassword } from '../../../src/cli/password.ts'
import { fakeIo, fakeTerminal, type FakeOptions } from './fake-io.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wirepost-password-'))
})
afterAll(() => rm(folder, { recursive: true }))

function ask(args: readonly string[], options: FakeOptions = {}): Promise<string> {
  const given = readArguments(TEST_SYNTAX, args)
  if (given === undefined) throw new Error('help was asked for')
  return readPassword(given, fakeIo(options), 'alice', 'mail.example')
}

test('the environment, a named variable and a file, in this order of strength', async () => {
  const env = { WIREPOST_PASSWORD: 'from-env', OTHER: 'from-other' }
  const file = join(folder, 'p1')
  await writeFile(file, 'from file \r\n')
  expect(await ask([], { env })).toBe('from-env')
  expect(await ask(['--password-env', 'OTHER'], { env })).toBe('from-other')
  expect(await ask(['--password-file', file], { env })).toBe('from file ')
})

test.each([
  ['a', 'a'],
  ['a\n', 'a'],
  ['\uFEFFä b\r\n', 'ä b'],
  [' a ', ' a '],
])('a file with %j gives %j', async (text, password) => {
  const file = join(folder, 'p2')
  await writeFile(file, text)
  expect(await ask(['--password-file', file])).toBe(password)
})

test.each([
  ['two lines', 'a\nb\n', 'more than one line'],
  ['an empty line behind', 'a\n\n', 'more than one line'],
  ['a NUL', 'a\0b', 'or a NUL'],
  ['nothing', '\n', 'is empty'],
  ['a picture', 'x'.repeat(70_000), 'too large for a password'],
])('a file with %s is refused', async (_name, text, message) => {
  const file = join(folder, 'p3')
  await writeFile(file, text)
  await expect(ask(['--password-file', file])).rejects.toMatchObject({ status: 2, message: expect.stringContaining(message) })
})

test.each([
  ['no file', ['--password-file', '/nonexistent/p'], 'cannot read the file of --password-file: it does not exist'],
  ['an unset variable', ['--password-env', 'NOT_SET'], 'is not set or empty'],
  ['two sources', ['--password-env', 'A', '--password-file', 'b'], 'exclude each other'],
  ['no source and no terminal', [], 'no password and no terminal to ask for it; set WIREPOST_PASSWORD'],
])('%s is refused', async (_name, args, message) => {
  await expect(ask(args)).rejects.toMatchObject({ status: 2, message: expect.stringContaining(message) })
})

test.each([
  ['a line', ['secret\r'], 'secret'],
  ['key by key', ['s', 'e', '\n', 'more'], 'se'],
  ['a corrected line', ['sex\u007F\bcret\r'], 'scret'],
  ['a line begun anew', ['wrong\u0015right\r'], 'right'],
  ['the end of input', ['secret\u0004'], 'secret'],
  ['letters beyond ASCII', ['pä€😀\r'], 'pä€😀'],
  ['arrow keys without their marks', ['a\u0001b\r'], 'ab'],
])('a person types %s, and nothing is shown', async (_name, keys, password) => {
  const terminal = fakeTerminal(keys)
  expect(await ask([], { terminal })).toBe(password)
  expect(terminal.shown).toBe('Password of alice at mail.example: \n')
  expect(terminal.closed).toBe(true)
})

test('Ctrl-C at the question interrupts, and the terminal is given back', async () => {
  const terminal = fakeTerminal(['sec\u0003ret\r'])
  await expect(ask([], { terminal })).rejects.toMatchObject({ name: 'Interrupted' })
  expect(terminal.closed).toBe(true)
})
