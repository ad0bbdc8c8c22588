import { LF } from '../bytes.ts'
import type { Entity } from './entity.ts'
import { HeaderSection, type Header } from './header.ts'

/** The fields that the content of an entity consists of, in groups between empty lines. Of `message/delivery-status` the first group is about the
 *  message and each other one about a recipient (RFC 3464 §2.1); `message/disposition-notification` (RFC 8098), `message/feedback-report` (RFC 5965),
 *  `text/rfc822-headers` (RFC 6522) and `message/external-body`, which is never fetched (RFC 2046 §5.2.3), have one. Offsets count from the start
 *  of the content; lines that are no field are kept with an empty name. Never throws. */
export function fieldGroups(entity: Entity): readonly Header[] {
  const content = Buffer.concat([entity.content(), Buffer.from('\n\n')])
  const groups: Header[] = []
  let start = 0
  let marks: number[] = []
  for (let at = 0; at < content.length;) {
    const next = content.indexOf(LF, at) + 1
    const line = content.toString('latin1', at, next)
    if (line.trim() !== '') {
      const [name = ''] = /^[!-9;-~]+/.exec(line) ?? []
      const isField = name !== '' && line.slice(name.length).trimStart().startsWith(':')
      if (marks.length === 0 || !/^[ \t]/.test(line)) marks.push(at - start, isField ? at - start + name.length : -1)
    } else {
      if (marks.length > 0) groups.push(new HeaderSection(content.subarray(start, at), start, marks, () => undefined))
      marks = []
      start = next
    }
    at = next
  }
  return groups
}
