// mpop delivers all messages of a maildrop into an mbox file. `node mpop.mjs MAILDROP`
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from './child.mjs'

const check = process.argv.at(-1) === 'check'
const { port, ca, caFile, messages } = JSON.parse(process.argv[2])
const folder = mkdtempSync(join(tmpdir(), 'wirepost-bench-'))
try {
  const mbox = join(folder, 'mbox')
  const security = ca === undefined ? ['--tls=off'] : ['--tls=on', '--tls-starttls=off', `--tls-trust-file=${caFile}`]
  const login = ['--auth=user', '--user=u1', '--passwordeval=echo pw-1']
  const taking = [
    '--quiet',
    '--keep=on',
    '--only-new=off',
    '--received-header=off',
    `--uidls-file=${join(folder, 'uidls')}`,
    `--delivery=mbox,${mbox}`,
  ]
  const measured = await measure('mpop', ['--host=127.0.0.1', `--port=${port}`, ...security, ...login, ...taking])
  // An mbox file has LF line ends, a From_ line before each message and an empty line after it.
  const found = readFileSync(mbox, 'latin1')
    .split(/^From .*\n/m)
    .slice(1)
    .map((message) =>
      Buffer.from(
        message
          .slice(0, -1)
          .replaceAll(/^>From /gm, 'From ')
          .replaceAll('\n', '\r\n'),
        'latin1',
      ),
    )
  const octets = found.reduce((sum, { length }) => sum + length, 0)
  const hash = createHash('sha256')
  for (const message of found) hash.update(message)
  console.log(JSON.stringify({ ...measured, messages: found.length, octets, ...(check ? { sha256: hash.digest('hex') } : {}) }))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
