// One SVG a family: for each workload that is compared with somebody, bars of its rates. Drawn for a light and for a dark page.
import { isNamed, rate, spread, type SubjectFigures, type WorkloadFigures } from './figures.ts'
import { figure } from './table.ts'

const COLUMNS = 2
const PANEL = { width: 460, gap: 28, head: 24, foot: 18 }
const BAR = { height: 14, gap: 5, left: 132, longest: 238 }
const TOP = 64

const STYLE = `
  .page { fill: #ffffff } text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 16px; font-weight: 600 } .name { font-weight: 600 }
  .muted { fill: #59636e } .ours { fill: #1f6feb } .peer { fill: #b6bdc6 } .limit { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .muted { fill: #9198a1 } .ours { fill: #4493f8 } .peer { fill: #4a525c } .limit { stroke: #767e88 }
  }`

interface Bar {
  readonly name: string
  readonly kind: SubjectFigures['kind']
  /** `undefined` for a subject whose result is wrong or that failed. */ readonly rate: number | undefined
  readonly text: string
}

export function chart(title: string, subtitle: string, workloads: readonly WorkloadFigures[]): string {
  const panels = workloads.filter(isCompared).map((workload) => ({ workload, bars: bars(workload) }))
  const columns: { body: string; height: number }[] = Array.from({ length: COLUMNS }, () => ({ body: '', height: TOP }))
  for (const { workload, bars: list } of panels) {
    const column = columns.reduce((least, one) => (one.height < least.height ? one : least))
    const x = PANEL.gap + columns.indexOf(column) * (PANEL.width + PANEL.gap)
    column.body += panel(workload, list, x, column.height)
    column.height += PANEL.head + list.length * (BAR.height + BAR.gap) + PANEL.foot
  }
  const width = PANEL.gap + COLUMNS * (PANEL.width + PANEL.gap)
  const height = Math.max(...columns.map((column) => column.height)) + PANEL.gap / 2
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">\n` +
    `<style>${STYLE}\n</style>\n<rect class="page" width="${width}" height="${height}" rx="6"/>\n` +
    `<text class="title" x="${PANEL.gap}" y="30">${escaped(title)}</text>\n<text class="muted" x="${PANEL.gap}" y="48">${escaped(subtitle)}</text>\n` +
    `${columns.map(({ body }) => body).join('')}</svg>\n`
  )
}

function isCompared({ verdicts, subjects: [ours] }: WorkloadFigures): boolean {
  return verdicts.some(({ figure: what }) => what === 'rate') && (ours?.results.length ?? 0) > 0
}

/** wirepost, the best of each peer, and the limits that a goal names; the fastest first. */
function bars(workload: WorkloadFigures): Bar[] {
  const best = new Map<string, Bar>()
  const [ours] = workload.subjects
  for (const subject of workload.subjects) {
    if (subject.obstacle?.state === 'missing' || (subject.kind === 'ours' && subject !== ours)) continue
    if (subject.kind === 'limit' && !workload.verdicts.some(({ against }) => isNamed(subject, against))) continue
    const name = subject.name.split(' (')[0] ?? subject.name
    const median = spread(subject.results.map((result) => rate(workload.unit, workload.amount, result)))?.median
    const text = median === undefined ? (subject.obstacle?.state === 'wrong' ? 'wrong result' : 'failed') : figure(median)
    const known = best.get(name)
    if (known === undefined || (median ?? -1) > (known.rate ?? -1)) best.set(name, { name, kind: subject.kind, rate: median, text })
  }
  return [...best.values()].toSorted((a, b) => (b.rate ?? -1) - (a.rate ?? -1))
}

function panel({ name, unit }: WorkloadFigures, list: readonly Bar[], x: number, y: number): string {
  const most = Math.max(...list.map((bar) => bar.rate ?? 0))
  const lines = list.map((bar, at) => {
    const top = y + PANEL.head + at * (BAR.height + BAR.gap)
    const length = ((bar.rate ?? 0) / most) * BAR.longest
    const base = top + BAR.height - 3
    const drawn =
      bar.rate === undefined
        ? ''
        : `<rect class="${bar.kind}" x="${x + BAR.left}" y="${top}" width="${Math.max(1, length).toFixed(1)}" height="${BAR.height}" rx="2"/>`
    return (
      `<text class="${bar.kind === 'ours' ? 'name' : ''}" x="${x + BAR.left - 8}" y="${base}" text-anchor="end">${escaped(bar.name)}</text>${drawn}` +
      `<text class="${bar.kind === 'ours' ? 'name' : 'muted'}" x="${(x + BAR.left + length + 6).toFixed(1)}" y="${base}">${escaped(bar.text)}</text>\n`
    )
  })
  return `<text class="name" x="${x}" y="${y + 12}">${escaped(name)}<tspan class="muted" dx="8" style="font-weight: 400">${unit}</tspan></text>\n${lines.join('')}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
