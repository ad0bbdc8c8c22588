import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { violations } from '../support/corpus.ts'
import { generatedMessage } from '../support/generated-messages.ts'

// What `npm run corpus` checks with any files: here with messages on which readers disagree, and with generated ones.
const FOLDER = new URL('messages/', import.meta.url)
const GENERATED = 400

function withLineFeeds(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

test.each(readdirSync(FOLDER).toSorted())('%s is read alike however it is cut and whatever its line ends are, and loses no octet', async (file) => {
  const octets = readFileSync(new URL(file, FOLDER))
  expect(await violations(octets)).toEqual([])
  expect(await violations(withLineFeeds(octets))).toEqual([])
})

test('so is every generated message', async () => {
  for (let seed = 0; seed < GENERATED; seed++) {
    const octets = generatedMessage(seed)
    expect(await violations(octets, [1, 7, 64, 0]), `seed ${seed}: ${JSON.stringify(octets.toString('latin1'))}`).toEqual([])
  }
})
