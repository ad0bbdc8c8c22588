/** How bad a defect is: worth a note, read with a repair, or read in a way that may not be what was meant. */
export type Severity = 'note' | 'warning' | 'serious'

/** Something in a message that is not as the RFCs want it, and where. Bad mail is data: it never throws. */
export interface Defect {
  /** Kebab-case and stable. */ readonly code: string
  /** In octets, from the start of the message (inside a decoded enclosed message: from its own start). */ readonly offset: number
  readonly section: string
  readonly severity: Severity
}

/** Every defect that is reported. `ambiguous`: readers are known to differ where it is found. */
export const DEFECTS = {
  // structure
  'missing-boundary-parameter': { severity: 'serious', ambiguous: true },
  'boundary-never-seen': { severity: 'serious', ambiguous: true },
  'missing-close-boundary': { severity: 'warning' },
  'implicit-close': { severity: 'warning' },
  'near-boundary': { severity: 'note', ambiguous: true },
  'duplicate-boundary': { severity: 'warning', ambiguous: true },
  'boundary-trimmed': { severity: 'note', ambiguous: true },
  'boundary-too-long': { severity: 'serious', ambiguous: true },
  'content-after-close': { severity: 'note' },
  'empty-part': { severity: 'note' },
  'boundary-in-header': { severity: 'warning', ambiguous: true },
  'missing-blank-line': { severity: 'warning', ambiguous: true },
  'encoded-multipart': { severity: 'warning' },
  'encoded-message': { severity: 'note', ambiguous: true },
  'empty-header': { severity: 'note' },
  'depth-limit': { severity: 'serious' },
  'parts-limit': { severity: 'serious' },
  'message-limit': { severity: 'serious' },
  'bare-cr': { severity: 'warning', ambiguous: true },
  'bare-lf': { severity: 'note' },
  'nul-octet': { severity: 'warning', ambiguous: true },
  // header section
  'header-limit': { severity: 'serious' },
  'field-without-colon': { severity: 'warning', ambiguous: true },
  'field-name-blank': { severity: 'note' },
  'field-name-invalid': { severity: 'warning', ambiguous: true },
  'blank-line-in-header': { severity: 'note' },
  'continuation-first': { severity: 'warning' },
  'mbox-line': { severity: 'note' },
  'duplicate-field': { severity: 'warning', ambiguous: true },
  'raw-8bit-header': { severity: 'note' },
  // structured fields
  'invalid-content-type': { severity: 'warning', ambiguous: true },
  'invalid-disposition': { severity: 'note' },
  'invalid-date': { severity: 'warning' },
  'obsolete-date': { severity: 'note' },
  'invalid-address': { severity: 'warning' },
  'invalid-message-id': { severity: 'note' },
  'parameters-limit': { severity: 'serious' },
  'duplicate-parameter': { severity: 'warning' },
  'parameter-conflict': { severity: 'warning' },
  'parameter-gap': { severity: 'warning', ambiguous: true },
  'parameter-syntax': { severity: 'note' },
  'parameter-encoding': { severity: 'warning' },
  'encoded-word-in-parameter': { severity: 'note' },
  'invalid-encoded-word': { severity: 'note' },
  'encoded-line-break': { severity: 'warning' },
  'unknown-charset': { severity: 'warning' },
  'invalid-charset-octets': { severity: 'warning' },
  'addresses-limit': { severity: 'serious' },
  // content-transfer-encodings
  'unknown-encoding': { severity: 'warning', ambiguous: true },
  'base64-junk': { severity: 'warning' },
  'base64-padding': { severity: 'note', ambiguous: true },
  'base64-after-padding': { severity: 'warning', ambiguous: true },
  'base64-truncated': { severity: 'warning', ambiguous: true },
  'quoted-printable-invalid': { severity: 'warning', ambiguous: true },
  'quoted-printable-8bit': { severity: 'note' },
  'uuencode-invalid': { severity: 'warning' },
} as const satisfies Record<string, { readonly severity: Severity; readonly ambiguous?: true }>

export type DefectCode = keyof typeof DEFECTS

const AMBIGUOUS: ReadonlySet<string> = new Set(Object.entries(DEFECTS).flatMap(([code, facts]) => ('ambiguous' in facts ? [code] : [])))

export const isAmbiguous = (code: string): boolean => AMBIGUOUS.has(code)

/** Takes a defect; `offset` counts octets from where the one who reports began to read. */
export type Report = (code: DefectCode, offset: number) => void

/** So many defects of one code are kept for one entity. */
const MAX_OF_A_CODE = 10

/** The defects of one entity: each code once at a place, and few of each. */
export class DefectList {
  readonly found: { readonly code: DefectCode; readonly offset: number }[] = []

  /** Whether it is kept. */
  add(code: DefectCode, offset: number): boolean {
    const same = this.found.filter((defect) => defect.code === code)
    // A field can be read in two ways, as text and as addresses, and has the defect once.
    if (same.length >= MAX_OF_A_CODE || same.some((defect) => defect.offset === offset)) return false
    this.found.push({ code, offset })
    return true
  }
}
