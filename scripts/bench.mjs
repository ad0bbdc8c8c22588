// npm run bench:quick: wirepost and its peers in turns, each in a process of its own. Installs the peers first.
import { join } from 'node:path'
import { buildSupport, compiled } from './build.mjs'
import { install } from './install.mjs'
import { ROOT, run } from './root.mjs'

const [family = 'quick', ...args] = process.argv.slice(2)
const families = { quick: 'bench/quick.ts', memory: 'bench/path/memory.ts' }
if (!Object.hasOwn(families, family)) {
  console.error(`npm run bench: there is no family ${family}; there are ${Object.keys(families).join(' and ')}`)
  process.exit(2)
}
install()
if (family === 'quick') install(join(ROOT, 'bench', 'peers'))
buildSupport({ ifStale: true })
process.exitCode = run(compiled(families[family]), args)
