// npm run sandbox: the mail server of the tests, left running until Ctrl-C, with commands to try.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServerProcess } from './start-server-process.ts'

const user = 'partner'
const password = randomBytes(9).toString('base64url')
const folder = await mkdtemp(join(tmpdir(), 'wirepost-sandbox-'))
const server = await startServerProcess(user, password)
const ca = join(folder, 'ca.pem')
await writeFile(ca, server.ca)

const quoted = JSON.stringify(ca)
const common = `--ca ${quoted}`
const setPassword = process.platform === 'win32' ? `$env:WIREPOST_PASSWORD='${password}';` : `WIREPOST_PASSWORD=${password}`
const command = `${setPassword} node dist/cli/main.js`
console.log(`A mail server for one user runs on this machine until you press Ctrl-C.

  pop3s://${server.host}:${server.pop3s}   POP3 over TLS
  pop3://${server.host}:${server.pop3}    POP3 with STLS
  smtps://${server.host}:${server.smtps}   SMTP over TLS
  smtp://${server.host}:${server.smtp}    SMTP with STARTTLS
  user ${user}, password ${password}, address ${user}@example.test
  authority ${ca}

Send this README to the user, look, and get it (in a second terminal, in this folder):

  ${command} send smtps://${user}@${server.host}:${server.smtps} ${common} --from me@example.test --to ${user}@example.test --subject 'First try' README.md

  ${command} get pop3s://${user}@${server.host}:${server.pop3s} ${common} --out inbox --delete
`)
// Signals keep no process alive; this timer does until one comes.
const alive = setInterval(() => undefined, 60_000)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
clearInterval(alive)
await server.close()
await rm(folder, { recursive: true, force: true })
console.log('\nThe server has ended, and its messages are gone.')
