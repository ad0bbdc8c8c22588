// npm run docs:defects: writes docs/defects.md from the table in src/mime/defect.ts. With `--check` nothing is written, and the exit status is 1
// when the page does not say what the source says.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './root.mjs'

const SOURCE = join(ROOT, 'src', 'mime', 'defect.ts')
const PAGE = join(ROOT, 'docs', 'defects.md')

const ROW = /^ {2}'([a-z0-9-]+)': (NOTE|WARNING|SERIOUS)(_AMBIGUOUS)?, \/\/ (.+)$/
const HEADING = /^ {2}\/\/ (.+)$/

const INTRODUCTION = `# Defects
Bad mail is data: what a sender wrote never makes the parser throw. It reads on, and says in \`defects\` of the entity what was wrong, where (octets from
the start of the message, or of the decoded enclosed message), and how bad it is:

| severity | meaning |
|---|---|
| \`note\` | not as the RFCs have it, and read without doubt |
| \`warning\` | read with a repair |
| \`serious\` | read in a way that may not be what was meant, or not taken apart |

A defect that is *ambiguous* marks a place where other readers are known to see another message: a gateway that lets such a message through cannot
know what its receiver will see. One of these, in a message or any part of it, makes \`ambiguous\` true. So do four things that are no defects: a
content-transfer-encoding spelt in an unusual way, \`filename\` and \`filename*\` that differ, a boundary without quotes that needs them or one that begins
like the one around it, and a delimiter in the middle of a line.

Codes are stable. \`strict: true\` makes all of them but the notes an error (\`ERR_CONTENT\`); \`strict: ['bare-cr', 'nul-octet']\` makes those that it names one.
Of one code the first ten places in an entity are kept, and of a message 10,000 defects. Those of a field or of content are known once that was read.
`

/** The page, from the text of the source. */
function pageOf(source) {
  const from = source.indexOf('export const DEFECTS = {\n')
  const table = source.slice(source.indexOf('\n', from) + 1, source.indexOf('\n}\n', from))
  const lines = [INTRODUCTION.trimEnd()]
  for (const line of table.split('\n')) {
    const [, heading] = HEADING.exec(line) ?? []
    const [, code, severity, ambiguous, meaning] = ROW.exec(line) ?? []
    if (heading !== undefined) lines.push('', `## ${heading}`, '| code | severity | ambiguous | what it is: what is done |', '|---|---|---|---|')
    else if (code === undefined) throw new Error(`${SOURCE}: no row of the table: ${line}`)
    else lines.push(`| \`${code}\` | ${severity.toLowerCase()} | ${ambiguous === undefined ? '' : 'yes'} | ${meaning.replaceAll('|', '\\|')} |`)
  }
  return `${lines.join('\n')}\n`
}

const page = pageOf(readFileSync(SOURCE, 'utf8'))
if (!process.argv.includes('--check')) writeFileSync(PAGE, page)
else if (readFileSync(PAGE, 'utf8') !== page) {
  console.log('docs/defects.md is not what src/mime/defect.ts says: npm run docs:defects')
  process.exitCode = 1
}
