const MAX_OCTETS = 200
const MAX_EXTENSION_OCTETS = 20 // an ending that is longer says nothing about the kind of file
/** A name far longer than can be kept is cut before anything looks at it: what is kept of it comes from its two ends. */
const MAX_CHARACTERS = 4000

/** Control, format and bidirectional marks, half surrogate pairs, letters that look like nothing. What cannot be seen can hide an ending. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\u034f|\u115f|\u1160|\u3164|\uffa0/gu
const RESERVED = /[<>:"|?*\\/]/g
/** Names that Windows gives to devices, whatever ending follows. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])$/i

/** A file name that fits any file system and stays where it is put: the last piece of a path, without what cannot be seen, what Windows
 *  reserves, dots and blanks at the end, a dot, `-` or `~` at the start; NFC, at most 200 octets of UTF-8 with its ending kept; never empty. */
export function safeFileName(name: string): string {
  const ends = name.length <= 2 * MAX_CHARACTERS ? name : name.slice(0, MAX_CHARACTERS) + name.slice(-MAX_CHARACTERS)
  let safe = lastPiece(ends).normalize('NFC').replace(INVISIBLE, '')
  safe = lastPiece(trimmed(safe.replace(/::\$DATA$/i, ''))).replace(/^[A-Za-z]:/, '')
  safe = shortened(trimmed(safe.replace(RESERVED, '_')), '')
  if (safe === '') return 'unnamed'
  // Looked at when short: a blank at the end of what was cut off may have hidden a device.
  const [stem = ''] = safe.split('.', 1)
  return /^[.~-]/.test(safe) || DEVICE.test(trimmed(stem)) ? shortened(`_${safe}`, '') : safe
}

/** `name`, or with a number before its ending if it is taken already, however it was written: `a (2).txt`. Adds what it gives to `taken`,
 *  which holds `fileNameKey` of each name in use. */
export function uniqueFileName(name: string, taken: Set<string>): string {
  const numbered = (number: number): string => (number === 1 ? name : shortened(name, ` (${number})`))
  const isTaken = (number: number): boolean => taken.has(fileNameKey(numbered(number)))
  // Doubling, then halving: a message with 10,000 equal names must not take 10,000 steps for each.
  let free = 1
  while (isTaken(free)) free *= 2
  for (let used = Math.trunc(free / 2); free - used > 1;) {
    const middle = Math.trunc((free + used) / 2)
    if (isTaken(middle)) used = middle
    else free = middle
  }
  taken.add(fileNameKey(numbered(free)))
  return numbered(free)
}

/** Equal for names that some file system takes for the same file. */
export const fileNameKey = (name: string): string => name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFC')

const lastPiece = (path: string): string => path.split(/[/\\]/).findLast((piece) => piece !== '') ?? ''

/** Without blanks at both ends and dots at the end, which Windows drops. */
function trimmed(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === '.' || text.slice(end - 1, end).trim() === '')) end--
  return text.slice(0, end).trimStart()
}

/** At most 200 octets, `suffix` put before the ending. No character is cut in two. */
function shortened(name: string, suffix: string): string {
  const dot = name.lastIndexOf('.')
  const stem = dot > 0 && Buffer.byteLength(name.slice(dot)) <= MAX_EXTENSION_OCTETS ? name.slice(0, dot) : name
  const end = suffix + name.slice(stem.length)
  const room = MAX_OCTETS - Buffer.byteLength(end)
  if (Buffer.byteLength(stem) <= room) return stem + end
  return trimmed(stem.slice(0, new TextEncoder().encodeInto(stem, new Uint8Array(room)).read)) + end
}
