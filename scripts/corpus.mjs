// npm run corpus -- FILE|FOLDER…: checks what must hold for any message with every file there is: the same tree, content and defects however the
// octets are cut, the same with CRLF line ends, and no octet that is in no part. Prints what does not hold. Without arguments, test/corpus/messages.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildSupport, compiled } from './build.mjs'
import { install } from './install.mjs'
import { ROOT } from './root.mjs'

const MAX_FILE = 32 * 1024 * 1024
const MAX_BY_OCTET = 256 * 1024 // larger files are not read in chunks of a few octets

install()
buildSupport({ ifStale: true })
const { CHUNK_SIZES, violations } = await import(pathToFileURL(compiled('test/support/corpus.ts')).href)

const given = process.argv.slice(2)
const counts = { files: 0, octets: 0, wrong: 0 }
for (const path of given.length > 0 ? given : [join(ROOT, 'test', 'corpus', 'messages')]) for (const file of filesIn(path)) await check(file)
console.log(`${counts.files} files, ${counts.octets} octets, ${counts.wrong} with something wrong`)
if (counts.wrong > 0) process.exitCode = 1

function* filesIn(path) {
  const stat = statSync(path)
  if (stat.isFile() && stat.size <= MAX_FILE) yield path
  else if (stat.isDirectory()) {
    const entries = readdirSync(path, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) if (entry.isFile() || entry.isDirectory()) yield* filesIn(join(path, entry.name))
  }
}

async function check(file) {
  const octets = readFileSync(file)
  counts.files++
  counts.octets += octets.length
  const sizes = octets.length <= MAX_BY_OCTET ? CHUNK_SIZES : CHUNK_SIZES.filter((size) => size === 0 || size >= 64)
  try {
    const found = await violations(octets, sizes)
    if (found.length === 0) return
    counts.wrong++
    for (const line of found.slice(0, 5)) console.log(`${file}: ${line}`)
    if (found.length > 5) console.log(`${file}: and ${found.length - 5} more`)
  } catch (error) {
    counts.wrong++
    console.log(`${file}: threw ${error?.stack ?? error}`)
  }
}
