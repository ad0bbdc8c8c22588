// npm start: installs, builds, and shows documents going out by SMTP and coming back by POP3. npm run sandbox (--sandbox): leaves the server running.
import { pathToFileURL } from 'node:url'
import { build, buildSupport, compiled } from './build.mjs'
import { install } from './install.mjs'

install()
build({ ifStale: true })
buildSupport({ ifStale: true })
await import(pathToFileURL(compiled(process.argv.includes('--sandbox') ? 'test/support/sandbox.ts' : 'test/support/demo.ts')).href)
