import { LF } from '../bytes.ts'
import type { Entity } from './entity.ts'
import { HeaderSection, type Header } from './header.ts'

const LINE_END = Buffer.from('\n\n')

/** The fields that the content of an entity consists of, in groups between empty lines. Of `message/delivery-status` the first group is about the
 *  message and each other one about a recipient (RFC 3464 §2.1); `message/disposition-notification` (RFC 8098), `message/feedback-report` (RFC 5965),
 *  `text/rfc822-headers` (RFC 6522) and `message/external-body`, which is never fetched (RFC 2046 §5.2.3), have one. Offsets count from the start
 *  of the content; lines that are no field are kept with an empty name. Never throws. */
export function fieldGroups(entity: Entity): readonly Header[] {
  const content = Buffer.concat([entity.content(), LINE_END])
  const groups: Header[] = []
  let start = 0
  let marks: number[] = []
  for (let at = 0; at < content.length;) {
    const next = content.indexOf(LF, at) + 1
    const line = content.toString('latin1', at, next)
    if (line.trim() !== '') {
      const isContinuation = marks.length > 0 && (line.startsWith(' ') || line.startsWith('\t'))
      if (!isContinuation) marks.push(at - start, nameEnd(line, at - start))
    } else {
      if (marks.length > 0) groups.push(new HeaderSection(content.subarray(start, at), start, marks, () => undefined))
      marks = []
      start = next
    }
    at = next
  }
  return groups
}

/** Where the name of a field ends whose line is at `at`; -1: it is no field (RFC 5322 §2.2). */
function nameEnd(line: string, at: number): number {
  const name = /^[!-9;-~]+/.exec(line)?.[0].length ?? 0
  return name > 0 && line.slice(name).trimStart().startsWith(':') ? at + name : -1
}
