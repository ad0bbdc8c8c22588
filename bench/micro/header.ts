import { OpenBoundaries, type Bounded } from '../../src/mime/boundary.ts'
import { HeaderScanner, type HeaderEnd } from '../../src/mime/header-scanner.ts'
import { HeaderSection } from '../../src/mime/header.ts'
import { headerSections, ignore } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'

const LIMIT = 2 * 1024 * 1024
const NOTHING_OPEN = new OpenBoundaries<Bounded>()

function scan(section: Buffer): HeaderEnd {
  const end = new HeaderScanner(NOTHING_OPEN, LIMIT, true).scan(section, true)
  if (end === undefined) throw new Error('the header section has no end')
  return end
}

const header = ({ octets, marks }: HeaderEnd): HeaderSection => new HeaderSection(octets, 0, marks, ignore)

export const micros: readonly Micro[] = [
  {
    name: 'header scan',
    hot: true,
    unit: 'fields',
    prepare() {
      const sections = headerSections()
      const run = (): number => sections.reduce((sum, section) => sum + scan(section).marks.length / 2, 0)
      return { amount: run(), run }
    },
  },
  {
    name: 'header look-up, three fields of each section',
    hot: true,
    warmMs: 200,
    unit: 'fields',
    plainly: 'every field is read',
    prepare() {
      const found = headerSections().map(scan)
      const wanted = ['Subject', 'Message-ID', 'content-type']
      const lengths = (section: HeaderSection): number => wanted.reduce((sum, name) => sum + (section.value(name)?.length ?? 0), 0)
      return {
        amount: wanted.length * found.length,
        run: () => found.reduce((sum, end) => sum + lengths(header(end)), 0),
        plain: () =>
          found.reduce((sum, end) => {
            const all = new Map(header(end).fields.map(({ name, value }) => [name.toLowerCase(), value]))
            return wanted.reduce((total, name) => total + (all.get(name.toLowerCase())?.length ?? 0), sum)
          }, 0),
      }
    },
  },
]
