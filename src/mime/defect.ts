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
  ...all({ severity: 'serious', ambiguous: true }, 'missing-boundary-parameter', 'boundary-never-seen', 'boundary-too-long'),
  ...all({ severity: 'serious' }, 'depth-limit', 'parts-limit', 'message-limit'),
  ...all({ severity: 'warning', ambiguous: true }, 'duplicate-boundary', 'boundary-in-header', 'missing-blank-line', 'bare-cr', 'nul-octet'),
  ...all({ severity: 'warning' }, 'missing-close-boundary', 'implicit-close', 'encoded-multipart'),
  ...all({ severity: 'note', ambiguous: true }, 'near-boundary', 'boundary-trimmed', 'encoded-message'),
  ...all({ severity: 'note' }, 'content-after-close', 'empty-part', 'empty-header', 'bare-lf'),
  // header section
  ...all({ severity: 'serious' }, 'header-limit'),
  ...all({ severity: 'warning', ambiguous: true }, 'field-without-colon', 'field-name-invalid', 'duplicate-field'),
  ...all({ severity: 'warning' }, 'continuation-first'),
  ...all({ severity: 'note' }, 'field-name-blank', 'blank-line-in-header', 'mbox-line', 'raw-8bit-header'),
  // structured fields
  ...all({ severity: 'serious' }, 'parameters-limit', 'addresses-limit'),
  ...all({ severity: 'warning', ambiguous: true }, 'invalid-content-type', 'parameter-gap'),
  ...all({ severity: 'warning' }, 'invalid-date', 'invalid-address', 'duplicate-parameter', 'parameter-conflict', 'parameter-encoding'),
  ...all({ severity: 'warning' }, 'encoded-line-break', 'unknown-charset', 'invalid-charset-octets'),
  ...all({ severity: 'note' }, 'invalid-disposition', 'obsolete-date', 'invalid-message-id', 'parameter-syntax', 'encoded-word-in-parameter'),
  ...all({ severity: 'note' }, 'invalid-encoded-word'),
  // content-transfer-encodings
  ...all({ severity: 'warning', ambiguous: true }, 'unknown-encoding', 'base64-after-padding', 'base64-truncated', 'quoted-printable-invalid'),
  ...all({ severity: 'warning' }, 'base64-junk', 'uuencode-invalid'),
  ...all({ severity: 'note', ambiguous: true }, 'base64-padding'),
  ...all({ severity: 'note' }, 'quoted-printable-8bit'),
}

function all<C extends string>(facts: DefectFacts, ...codes: readonly C[]): Record<C, DefectFacts>
function all(facts: DefectFacts, ...codes: readonly string[]): Record<string, DefectFacts> {
  return Object.fromEntries(codes.map((code) => [code, facts]))
}

type DefectFacts = { readonly severity: Severity; readonly ambiguous?: true }

export type DefectCode = keyof typeof DEFECTS

const AMBIGUOUS: ReadonlySet<string> = new Set(Object.entries(DEFECTS).flatMap(([code, facts]) => (facts.ambiguous ? [code] : [])))

export const isAmbiguous = (code: string): boolean => AMBIGUOUS.has(code)

/** Takes a defect; `offset` counts octets from where the one who reports began to read. */
export type Report = (code: DefectCode, offset: number) => void

const MAX_OF_A_CODE = 10 // so many defects of one code are kept for one entity

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
