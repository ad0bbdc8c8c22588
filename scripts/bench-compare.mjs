// npm run bench:compare -- REV: the micro benchmarks of a revision and of the working tree, in turns; exit status 1 on a loss beyond noise on the hot
// set. The benchmarks are those of the working tree on both sides, so the same is measured; what REV does not have is named and skipped.
// npm run bench:micro: the figures of the working tree, each fast path beside its plain form.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { install } from './install.mjs'
import { ROOT, run, TOOLS } from './root.mjs'

const USAGE = `npm run bench:compare -- REV [--only TEXT] [--hot] [--rounds N] [--bound X] [--seconds N]
npm run bench:compare -- --ci      hot set against the merge base or the commit before, in less than 40 s, for losses that no noise explains
npm run bench:micro -- [--only TEXT] [--hot] [--rounds N]

--only     benchmarks whose file or name holds TEXT
--hot      only those whose loss is a failure
--rounds   pairs of processes for each; fewer than five say nothing (9)
--bound    what is a difference: 1.05 is 5 % (1.03, or 1.01 where perf counts instructions)
--seconds  no new round after so many`

/** What fails is a third more time in each of five rounds, and in each of five more: no mood of a machine does that. */
const CI = ['--hot', '--losses', '--rounds', '5', '--samples', '5', '--bound', '1.33', '--seconds', '30']

const WORK = join(ROOT, '.build', `compare-${process.pid}`)

/** A problem of the caller's, told in a line. */
class Refusal extends Error {}

function git(...args) {
  const { status, stdout, error } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return error === undefined && status === 0 ? stdout.trim() : undefined
}

/** The commit that the working tree grew from: where its branch left the main one, or the commit before. */
function forkPoint() {
  const head = git('rev-parse', '--verify', '--quiet', 'HEAD')
  for (const trunk of ['origin/HEAD', 'origin/main', 'main']) {
    const base = git('merge-base', 'HEAD', trunk)
    if (base !== undefined && base !== head) return base
  }
  return git('rev-parse', '--verify', '--quiet', 'HEAD~1^{commit}')
}

const isOurs = (path) => !['node_modules', 'results', 'peers'].includes(basename(path))

/** Source as `fill` puts it there, and the benchmarks of the working tree, compiled. */
function buildSide(name, fill) {
  const folder = join(WORK, name)
  mkdirSync(folder, { recursive: true })
  fill(folder)
  cpSync(join(ROOT, 'bench'), join(folder, 'bench'), { recursive: true, filter: isOurs })
  const config = {
    extends: '../../../tsconfig.support.json',
    compilerOptions: { rootDir: '.', outDir: 'js' },
    include: ['bench/micro', 'bench/compare-run.ts'],
    exclude: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  // What an older source does not have is found when a benchmark asks for it.
  const status = run(TOOLS.tsc, ['-p', join(folder, 'tsconfig.json')], { stdio: ['ignore', 'ignore', 2] })
  if (!existsSync(join(folder, 'js', 'bench', 'micro'))) throw new Refusal(`${name}: the compiler ended with status ${status}`)
  return join(folder, 'js')
}

const workingTree = (folder) => cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })

const revision = (commit) => (folder) => {
  const archive = join(folder, 'src.tar')
  if (git('archive', `--output=${archive}`, commit, 'src') === undefined) throw new Refusal(`git archive ${commit} failed; does it have src/?`)
  const { status, error } = spawnSync('tar', ['-xf', archive, '-C', folder], { stdio: 'inherit' })
  if (error !== undefined || status !== 0) throw new Refusal(`tar could not unpack ${commit}`)
}

function main() {
  const switches = { only: 'string', rounds: 'string', samples: 'string', bound: 'string', seconds: 'string', hot: 'boolean' }
  const options = Object.fromEntries(
    Object.entries({ ...switches, plain: 'boolean', ci: 'boolean', help: 'boolean' }).map(([name, type]) => [name, { type }]),
  )
  const { values, positionals } = readArguments(options)
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  for (const [name, least] of Object.entries({ rounds: 1, samples: 1, seconds: 1, bound: 1 }))
    if (values[name] !== undefined && !(Number(values[name]) >= least)) throw new Refusal(`--${name}: a number, ${least} or more`)
  const passed = Object.keys(switches).flatMap((name) =>
    values[name] === undefined ? [] : values[name] === true ? [`--${name}`] : [`--${name}`, values[name]],
  )
  const asked = positionals[0] ?? (values.ci ? forkPoint() : undefined)
  if (positionals.length > 1 || (!values.plain && !values.ci && asked === undefined)) throw new Refusal(USAGE)
  const commit = asked === undefined ? undefined : git('rev-parse', '--verify', '--quiet', `${asked}^{commit}`)
  if (commit === undefined && !values.plain) {
    if (!values.ci) throw new Refusal(`there is no revision ${asked} here`)
    console.log('bench:compare: nothing to compare with (no earlier commit in this clone)')
    return 0
  }
  if (values.ci && git('diff', '--quiet', commit, '--', 'src') !== undefined && git('status', '--porcelain', '--', 'src') === '') {
    console.log(`bench:compare: src is the same as in ${commit.slice(0, 9)}`)
    return 0
  }
  install()
  const change = buildSide('change', workingTree)
  const sides = values.plain ? ['--change', change] : ['--base', buildSide('base', revision(commit)), '--change', change]
  console.log(
    values.plain
      ? 'Fast paths of the working tree beside their plain forms'
      : `base ${commit.slice(0, 9)} ${git('show', '-s', '--format=%s', commit)}; change: the working tree`,
  )
  return run(join(change, 'bench', 'compare-run.js'), [...sides, ...(values.ci ? CI : []), ...passed])
}

function readArguments(options) {
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    throw new Refusal(`${error.message}\n${USAGE}`)
  }
}

const clean = () => rmSync(WORK, { recursive: true, force: true })
process.on('exit', clean)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
try {
  process.exitCode = main()
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  console.error(error.message)
  process.exitCode = 2
}
