// npm run bench (all families), bench:quick and bench:memory. Installs what wirepost is measured against first.
import { join } from 'node:path'
import { buildSupport, compiled } from './build.mjs'
import { install } from './install.mjs'
import { ROOT, run } from './root.mjs'

const [first, ...rest] = process.argv.slice(2)
const scripts = { quick: 'bench/quick.ts', memory: 'bench/path/memory.ts' }
const isScript = first !== undefined && Object.hasOwn(scripts, first)
install()
if (first !== 'memory') install(join(ROOT, 'bench', 'peers'))
buildSupport({ ifStale: true })
process.exitCode = isScript ? run(compiled(scripts[first]), rest) : run(compiled('bench/run.ts'), process.argv.slice(2))
