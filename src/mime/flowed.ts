/** Lines that belong together, or one line that stands alone (RFC 3676). */
export interface Paragraph {
  /** So many times it was quoted. */ readonly quoteDepth: number
  /** Without quote marks, stuffed space and line end. */ readonly text: string
}

/** Reads `format=flowed` text (RFC 3676 §4): lines that end in a space go on in the next one. `delSp`: that space is no part of the text (DelSp=yes). */
export function unflow(text: string, options: { readonly delSp?: boolean | undefined } = {}): Paragraph[] {
  const paragraphs: Paragraph[] = []
  let open: { quoteDepth: number; text: string } | undefined
  // Quote marks, a stuffed space (§4.4), and the line with its end.
  for (const [, marks = '', , rest = ''] of text.matchAll(/(?!$)(>*)( ?)([^\n]*\n?)/g)) {
    const quoteDepth = marks.length
    const line = rest.replace(/\r?\n$/, '')
    // A signature separator neither flows nor is flowed into (§4.3), and a change of depth ends a paragraph (§4.5).
    const isSeparator = line === '-- '
    const isFlowed = line.endsWith(' ') && !isSeparator
    const piece = isFlowed && options.delSp === true ? line.slice(0, -1) : line
    if (open?.quoteDepth === quoteDepth && !isSeparator) open.text += piece
    else {
      open = { quoteDepth, text: piece }
      paragraphs.push(open)
    }
    if (!isFlowed) open = undefined
  }
  return paragraphs
}

/** Paragraphs as text again: a line each, with a quote mark for each depth. */
export function joinParagraphs(paragraphs: readonly Paragraph[]): string {
  return paragraphs.map(({ quoteDepth, text }) => (quoteDepth === 0 ? `${text}\n` : `${'>'.repeat(quoteDepth)} ${text}\n`)).join('')
}
