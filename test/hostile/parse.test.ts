import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseCommand } from '../../src/cli/parse.ts'
import { Random } from '../support/random.ts'
import { fakeIo } from '../unit/cli/fake-io.ts'

// `wirepost parse` says something of any octets, and what it says is safe to look at.
const FOLDER = new URL('../corpus/messages/', import.meta.url)
const RUNS = 150
const folder = mkdtempSync(join(tmpdir(), 'wirepost-any-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** All that moves a cursor, hides text or turns its direction, but for the line end. */
const UNSAFE = /(?!\n)[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u

async function run(octets: Buffer, ...flags: readonly string[]): Promise<string> {
  const file = join(folder, 'any')
  writeFileSync(file, octets)
  const io = fakeIo({ columns: 120 })
  expect({ status: await parseCommand([file, ...flags], io), err: io.written.err }).toEqual({ status: 0, err: '' })
  expect(UNSAFE.exec(io.written.out)?.[0]).toBe(undefined)
  return io.written.out
}

async function check(octets: Buffer): Promise<void> {
  const lines = (await run(octets, '--json', '--text')).split('\n')
  expect(lines.length).toBe(2)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ size: octets.length, entity: { section: '' } })
  expect(await run(octets, '--text')).toContain('any')
}

test.each([1, 2, 3])('random octets, seed %i', async (seed) => {
  const random = new Random(seed)
  for (const length of [0, 1, 2, 100, 5000, 100_000]) await check(random.octets(length))
  // Only octets that mean something.
  const letters = Buffer.from('\r\n\r\n:--=? \t\0;"()<>,@\x1b\x80\xffbContent-Type: multipart/mixed; boundary=b', 'latin1')
  for (let length = 1; length < 3000; length *= 2)
    await check(Buffer.from(random.octets(length).map((octet) => letters[octet % letters.length] ?? 0)))
})

test.each([4, 5])('truncated and damaged messages, seed %i', async (seed) => {
  const random = new Random(seed)
  const messages = readdirSync(FOLDER).toSorted()
  for (let round = 0; round < RUNS; round++) {
    const octets = readFileSync(new URL(messages[random.below(messages.length)] ?? '', FOLDER))
    for (let change = random.below(9); change > 0; change--) octets[random.below(octets.length)] = random.below(256)
    await check(random.once(2) ? octets : octets.subarray(0, random.below(octets.length + 1)))
  }
})

test('a program', async () => {
  const octets = Buffer.alloc(512 * 1024)
  const file = openSync(process.execPath, 'r')
  try {
    readSync(file, octets, 0, octets.length, 0)
  } finally {
    closeSync(file)
  }
  await check(octets)
  await check(Buffer.concat([Buffer.from('Subject: x\nContent-Type: text/html; charset=utf-7\n\n'), octets]))
})
