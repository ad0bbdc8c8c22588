// curl takes all messages of a maildrop in one run and throws them away. `node curl-fetch.mjs messages|nothing MAILDROP`: what it says to have counted
import { createHash } from 'node:crypto'
import { measure } from './child.mjs'

const check = process.argv.at(-1) === 'check'
const [counts, given] = process.argv.slice(2)
const { port, ca, caFile, messages, octets } = JSON.parse(given)
const url = `${ca === undefined ? 'pop3' : 'pop3s'}://127.0.0.1:${port}/${messages > 1 ? `[1-${messages}]` : 1}`
const trust = ca === undefined ? [] : ['--cacert', caFile]
const base = ['--silent', '--show-error', ...trust, '--user', 'u1:pw-1']

if (check) {
  let counted = 0
  const hash = createHash('sha256')
  const measured = await measure('curl', [...base, url], (chunk) => {
    counted += chunk.length
    hash.update(chunk)
  })
  console.log(JSON.stringify({ ...measured, messages, octets: counted, sha256: hash.digest('hex') }))
} else {
  // Its own count, size_download, leaves out what came together with +OK; the run before, with 'check', has counted.
  const measured = await measure('curl', [...base, '--output', '/dev/null', url])
  console.log(JSON.stringify({ ...measured, ...(counts === 'messages' ? { messages, octets } : {}) }))
}
