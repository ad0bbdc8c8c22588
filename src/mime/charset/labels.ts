import { LABELS } from './label-tables.ts'

export type Charset = keyof typeof LABELS

const MAX_LABEL = 80 // no label of any registry is longer; what is longer is not worth a look

let byLabel: Map<string, Charset> | undefined

/** The charset that a label means, or `undefined` when nobody knows. Case, punctuation, quotes, a left-over `3D` of a half decoded
 *  quoted-printable text and whatever follows a `;` do not count, because real mail has them all. */
export function charsetOf(label: string): Charset | undefined {
  byLabel ??= labelMap()
  // The two roads: a label as everybody writes it, and one that needs cleaning.
  const exact = byLabel.get(label)
  if (exact !== undefined || label.length > MAX_LABEL) return exact
  const key = labelKey(label)
  for (const prefix of PREFIXES) {
    const charset = key.startsWith(prefix) ? byLabel.get(key.slice(prefix.length)) : undefined
    if (charset !== undefined) return charset
  }
  return undefined
}

/** `csISOLatin1` and `csISOLatinGreek` are IANA's, `x-` is everybody's, `3D` is what is left of a `=`; the others precede a code page number. */
const PREFIXES = ['', ...'x cs csiso csisolatin 3d cp ibm ms windows win dos ccsid xcp csibm cswindows xwindows xibm'.split(' ')]

function labelMap(): Map<string, Charset> {
  const map = new Map<string, Charset>()
  for (const charset of Object.keys(LABELS).filter((name): name is Charset => Object.hasOwn(LABELS, name))) {
    map.set(charset, charset).set(charset.toUpperCase(), charset).set(labelKey(charset), charset)
    for (const label of LABELS[charset].split(' ')) map.set(label, charset)
  }
  map.delete('')
  return map.set('iso-8859-1', 'windows-1252').set('ISO-8859-1', 'windows-1252').set('gb2312', 'gb18030').set('GB2312', 'gb18030')
}

function labelKey(label: string): string {
  const end = label.indexOf(';')
  return (end < 0 ? label : label.slice(0, end)).toLowerCase().replace(/[^a-z0-9]/g, '')
}
