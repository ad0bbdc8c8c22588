/** How bad a defect is: worth a note, read with a repair, or read in a way that may not be what was meant. */
export type Severity = 'note' | 'warning' | 'serious'

/** Something in a message that is not as the RFCs want it, and where. Bad mail is data: it never throws. */
export interface Defect {
  /** Kebab-case and stable. */
  readonly code: string
  /** In octets, from the start of the message (inside a decoded enclosed message: from its own start). */
  readonly offset: number
  readonly section: string
  readonly severity: Severity
}

/** Every defect that is reported, with its severity. */
export const SEVERITIES = {
  // structure
  'missing-boundary-parameter': 'serious',
  'boundary-never-seen': 'serious',
  'missing-close-boundary': 'warning',
  'implicit-close': 'warning',
  'near-boundary': 'note',
  'duplicate-boundary': 'warning',
  'boundary-trimmed': 'note',
  'boundary-too-long': 'serious',
  'content-after-close': 'note',
  'empty-part': 'note',
  'boundary-in-header': 'warning',
  'missing-blank-line': 'warning',
  'encoded-multipart': 'warning',
  'encoded-message': 'note',
  'empty-header': 'note',
  'depth-limit': 'serious',
  'parts-limit': 'serious',
  'message-limit': 'serious',
  'bare-cr': 'warning',
  'bare-lf': 'note',
  'nul-octet': 'warning',
  // header section
  'header-limit': 'serious',
  'field-without-colon': 'warning',
  'field-name-blank': 'note',
  'field-name-invalid': 'warning',
  'blank-line-in-header': 'note',
  'continuation-first': 'warning',
  'mbox-line': 'note',
  'duplicate-field': 'warning',
  'raw-8bit-header': 'note',
  // structured fields
  'invalid-content-type': 'warning',
  'invalid-disposition': 'note',
  'invalid-date': 'warning',
  'obsolete-date': 'note',
  'invalid-address': 'warning',
  'invalid-message-id': 'note',
  'parameters-limit': 'serious',
  'duplicate-parameter': 'warning',
  'parameter-conflict': 'warning',
  'parameter-gap': 'warning',
  'parameter-syntax': 'note',
  'parameter-encoding': 'warning',
  'encoded-word-in-parameter': 'note',
  'invalid-encoded-word': 'note',
  'encoded-line-break': 'warning',
  'unknown-charset': 'warning',
  'invalid-charset-octets': 'warning',
  'addresses-limit': 'serious',
  // content-transfer-encodings
  'unknown-encoding': 'warning',
  'base64-junk': 'warning',
  'base64-padding': 'note',
  'base64-after-padding': 'warning',
  'base64-truncated': 'warning',
  'quoted-printable-invalid': 'warning',
  'quoted-printable-8bit': 'note',
  'uuencode-invalid': 'warning',
} as const satisfies Record<string, Severity>

export type DefectCode = keyof typeof SEVERITIES

/** Takes a defect; `offset` counts octets from where the one who reports began to read. */
export type Report = (code: DefectCode, offset: number) => void
