import type { Report } from '../../src/mime/defect.ts'

/** A `Report` that keeps the codes it was given. */
export function reports(): { report: Report; codes: string[]; offsets: number[] } {
  const codes: string[] = []
  const offsets: number[] = []
  return {
    codes,
    offsets,
    report: (code, offset) => {
      codes.push(code)
      offsets.push(offset)
    },
  }
}

export function ignore(): void {
  // for tests that look at values only
}

/** Text as the octets of a field body, one character each. */
export function octets(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** A written field as a reader sees it: without its name and its folds. */
export function unfold(field: string): string {
  return field.slice(field.indexOf(':') + 1).replace(/\r\n(?=[ \t])/g, '')
}
