import { expect, test } from 'vitest'
import { chart } from '../../../bench/chart.ts'
import type { Goal, Result } from '../../../bench/family.ts'
import { judge, type SubjectFigures, type WorkloadFigures } from '../../../bench/figures.ts'
import { page, type Measured } from '../../../bench/report.ts'
import { block } from '../../../bench/table.ts'

const result = (ms: number): Result => ({ ms, cpuMs: ms, peakBytes: 9e6, idleBytes: 1e6, firstMs: 1.25 })
const subjects: readonly SubjectFigures[] = [
  { name: 'wirepost', kind: 'ours', of: [], results: [result(10)] },
  { name: 'peer (defaults)', kind: 'peer', of: ['peer'], results: [result(100)] },
  { name: 'peer (fastest)', kind: 'peer', of: ['peer'], results: [result(80)], note: 'its fastest' },
  { name: 'other', kind: 'peer', of: [], results: [], obstacle: { state: 'wrong', why: '1 parts | 2 <parts>' } },
  { name: 'absent', kind: 'peer', of: [], results: [], obstacle: { state: 'missing', why: 'not installed' } },
  { name: 'limit-read', kind: 'limit', of: [], results: [result(1)] },
]
const goals: readonly Goal[] = [
  { against: 'peer', figure: 'rate', floor: 7, goal: 9, remark: 'Half of it is the line structure.' },
  { against: 'peer', figure: 'rate', floor: 20, goal: 30 },
  { against: '', figure: 'peak', floor: 16, goal: 12 },
  { against: 'absent', figure: 'rate', floor: 1, goal: 2 },
]
const workload: WorkloadFigures = {
  name: 'a & b 1 MB',
  unit: 'MB/s',
  does: 'read',
  amount: 1e6,
  expected: { octets: 1 },
  subjects,
  verdicts: judge(goals, subjects),
}
const measured: Measured = {
  family: 'mime',
  title: 'MIME',
  machine: { processor: 'A processor', cores: 2, memoryGiB: 4, system: 'Linux 6', node: 'v20.20.2' },
  rounds: 5,
  quick: false,
  versions: [['peer', '1.2.3']],
  workloads: [workload],
}

test('the table says who is where, and what is reached', () => {
  const lines = block(workload).split('\n')
  expect(lines[0]).toBe('a & b 1 MB (MB/s): read')
  expect(lines.find((line) => line.startsWith('  wirepost'))).toMatch(
    /100 \(100–100\) +8\.00 +goal reached \(8\.00 MB above idle; floor 16, goal 12\)/,
  )
  expect(lines.find((line) => line.startsWith('  peer (defaults)'))).not.toMatch(/reached|MISSED/)
  expect(lines.find((line) => line.startsWith('  peer (fastest)'))).toMatch(
    /8\.00x \(8\.00–8\.00\) .*floor reached \(floor 7x, goal 9x peer\); FLOOR MISSED \(floor 20x, goal 30x peer\)/,
  )
  expect(lines.find((line) => line.startsWith('  other'))).toMatch(/wrong: 1 parts/)
  expect(lines.find((line) => line.startsWith('  absent'))).toMatch(/missing: not installed/)
  expect(lines.at(-1)).toBe('  nothing to compare with: floor 1x, goal 2x absent')
})

test('the report has the machine, the versions, every goal, and where the time goes in what is missed', () => {
  const text = page([measured, { ...measured, machine: { ...measured.machine, node: 'v26.1.0' } }])
  expect(text).toContain('Measured on A processor, 2 cores, 4 GiB, Linux 6, Node 20.20.2 and 26.1.0.')
  expect(text).toContain('Compared with peer 1.2.3.')
  expect(text).toContain('Of 6 goals 2 are reached; 4 of 6 are above their floor.')
  expect(text).toContain('| mime, Node 20 | a & b 1 MB | times peer (fastest) | 7x | 9x | 8.00 (8.00–8.00) | floor |')
  expect(text).toContain('| mime, Node 26 | a & b 1 MB | times peer (fastest) | 20x | 30x | 8.00 (8.00–8.00) | **missed** |')
  expect(text).toContain('- mime, Node 20, a & b 1 MB, floor 7x, goal 9x peer: Half of it is the line structure.')
  expect(text).toContain('| other | wrong: 1 parts \\| 2 &lt;parts> | | |  |')
  expect(text).toContain('![MIME: rates as bars](benchmarks/mime-node20.svg)')
  expect(text).toContain('## MIME, Node 26')
})

test('nothing measured is no report', () => {
  expect(page([])).toBe('')
})

test('the chart: the best of each peer, limits only where a goal names them, no bar for a wrong result', () => {
  const svg = chart('MIME <all>', 'Node 20', [workload, { ...workload, verdicts: [] }])
  expect(svg).toContain('MIME &lt;all&gt;')
  expect(svg.match(/>a &amp; b 1 MB</g)).toHaveLength(1)
  expect(svg.match(/<rect class="(?:ours|peer|limit)"/g)).toEqual(['<rect class="ours"', '<rect class="peer"'])
  expect(svg).toContain('>12.5</text>')
  expect(svg).toContain('wrong result')
  expect(svg).not.toMatch(/absent|limit-read|NaN|Infinity/)
  for (const [, open = '', name = ''] of svg.matchAll(/<(\/?)(text|svg|tspan)\b/g)) expect([open, name]).toBeDefined()
  expect(svg.match(/<text\b/g)).toHaveLength(svg.match(/<\/text>/g)?.length ?? 0)
})
