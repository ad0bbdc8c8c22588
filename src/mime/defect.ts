/** How bad a defect is: worth a note, read with a repair, or read in a way that may not be what was meant. */
export type Severity = 'note' | 'warning' | 'serious'

/** Something in a message that is not as the RFCs want it, and where. Bad mail is data: it never throws. */
export interface Defect {
  /** Kebab-case and stable: docs/defects.md has all. */ readonly code: string
  /** In octets, from the start of the message (inside a decoded enclosed message: from its own start). */ readonly offset: number
  readonly section: string
  readonly severity: Severity
}

/** `ambiguous`: readers are known to differ where it is found. */
type DefectFacts = { readonly severity: Severity; readonly ambiguous: boolean }

const NOTE: DefectFacts = { severity: 'note', ambiguous: false }
const WARNING: DefectFacts = { severity: 'warning', ambiguous: false }
const SERIOUS: DefectFacts = { severity: 'serious', ambiguous: false }
const NOTE_AMBIGUOUS: DefectFacts = { severity: 'note', ambiguous: true }
const WARNING_AMBIGUOUS: DefectFacts = { severity: 'warning', ambiguous: true }
const SERIOUS_AMBIGUOUS: DefectFacts = { severity: 'serious', ambiguous: true }

/** Every defect that is reported. docs/defects.md is written from these lines (`npm run docs:defects`). */
export const DEFECTS = {
  // Structure
  'missing-boundary-parameter': SERIOUS_AMBIGUOUS, // A multipart names no boundary: it has no parts, its body is content (RFC 2046 §5.1.1).
  'boundary-never-seen': SERIOUS_AMBIGUOUS, // No delimiter of a multipart comes: it has no parts, its body is content (RFC 2046 §5.1.1).
  'boundary-too-long': SERIOUS_AMBIGUOUS, // A boundary of more than 2,000 octets, where 70 are allowed: as if it had none (RFC 2046 §5.1.1).
  'depth-limit': SERIOUS, // Below `limits.depth`, or in a sixth encoded message: not taken apart, one leaf with all octets.
  'parts-limit': SERIOUS, // After `limits.parts` parts: what is left of the message, or the enclosed message, is one leaf.
  'message-limit': SERIOUS, // After `limits.messageBytes`: the rest is one leaf, or goes on with the leaf that no delimiter can end.
  'duplicate-boundary': WARNING_AMBIGUOUS, // The boundary of a multipart around it again: a delimiter is that of the innermost one still open.
  'boundary-in-header': WARNING_AMBIGUOUS, // A delimiter in a header section, before an empty line: it ends the section (RFC 2046 §5.1.1).
  'missing-blank-line': WARNING_AMBIGUOUS, // A header section without an empty line after it: the first line that is no field begins the body.
  'bare-cr': WARNING_AMBIGUOUS, // A CR without LF in a header section: no line end, a blank in the value (RFC 5322 §2.2).
  'nul-octet': WARNING_AMBIGUOUS, // NUL in a header section: dropped from names, U+FFFD in values (RFC 5322 §4.1).
  'missing-close-boundary': WARNING, // The message ends before the close delimiter of a multipart: so do its parts (RFC 2046 §5.1.1).
  'implicit-close': WARNING, // The delimiter of an outer multipart before the close delimiter of an inner one: it ends that too (RFC 2046 §5.1.2).
  'encoded-multipart': WARNING, // A multipart in base64 or another encoding that none may have: taken as it stands (RFC 2045 §6.4).
  'near-boundary': NOTE_AMBIGUOUS, // A line that begins like a delimiter and goes on: content (RFC 2046 §5.1.1).
  'boundary-trimmed': NOTE_AMBIGUOUS, // Blanks at the end of a boundary parameter: left out (RFC 2046 §5.1.1).
  'encoded-message': NOTE_AMBIGUOUS, // An enclosed message in a transfer encoding: decoded, taken apart, its offsets are its own (RFC 2046 §5.2).
  'content-after-close': NOTE, // More than blanks after a close delimiter: the epilogue, in no part, but in `raw` (RFC 2046 §5.1.1).
  'empty-part': NOTE, // Two delimiters with not even an empty line between them: no part (RFC 2046 §5.1.1).
  'empty-header': NOTE, // A message that begins with an empty line or with text: it has no fields (RFC 5322 §2.1).
  'bare-lf': NOTE, // A line of a header section that ends with LF alone, at the first: taken for a line end (RFC 5322 §2.3).
  // Header section
  'header-limit': SERIOUS, // More octets than `limits.headerBytes` or `limits.totalHeaderBytes`: fields from there on are left out.
  'field-without-colon': WARNING_AMBIGUOUS, // A line that is no field among fields: kept raw, without a name (RFC 5322 §2.2).
  'field-name-invalid': WARNING_AMBIGUOUS, // A line with a colon and no field name before it: kept raw, without a name (RFC 5322 §2.2).
  'duplicate-field': WARNING_AMBIGUOUS, // A field that may occur once, again: the first one counts, all are in `fields` (RFC 5322 §3.6).
  'continuation-first': WARNING, // A header section that begins with a blank: the line is kept raw, without a name (RFC 5322 §2.2.3).
  'field-name-blank': NOTE, // Blanks between a field's name and its colon: left out (RFC 5322 §4.5).
  'blank-line-in-header': NOTE, // A line of blanks only: goes on with the field, and does not end the section (RFC 5322 §4.2).
  'mbox-line': NOTE, // A line “From …” or “>From …” of a mailbox file among the fields: kept raw, without a name (RFC 4155).
  'raw-8bit-header': NOTE, // Octets above 127 in a field: UTF-8 if all of it is, else windows-1252 (RFC 6532 §3.1).
  // Structured fields
  'parameters-limit': SERIOUS, // More parameters in a field than `limits.parameters`: the others are left out.
  'invalid-content-type': WARNING_AMBIGUOUS, // No media type: text/plain, in a digest message/rfc822, with the parameters there are (RFC 2045 §5.2).
  'parameter-gap': WARNING_AMBIGUOUS, // A number is missing among the pieces of a parameter: it ends before the gap (RFC 2231 §3).
  'invalid-date': WARNING, // No date-time (RFC 5322 §3.3, §4.3): `null`.
  'invalid-address': WARNING, // Something in an address list that is no address: what can be told apart is kept (RFC 5322 §3.4).
  'duplicate-parameter': WARNING, // A parameter a second time: the first one counts (RFC 2045 §5).
  'parameter-conflict': WARNING, // Two forms of a name that say different things: `filename*` before `filename` before `name` (RFC 2231).
  'parameter-encoding': WARNING, // Percent-encoding without digits or without a charset before it: literal (RFC 2231 §4).
  'encoded-line-break': WARNING, // An encoded-word or a parameter decodes to CR, LF or NUL: a blank instead (RFC 2047 §5).
  'unknown-charset': WARNING, // The charset has no decoder here: UTF-8 if the octets are, else windows-1252 (RFC 2046 §4.1.2).
  'invalid-charset-octets': WARNING, // Octets that are nothing in the charset: U+FFFD in their place.
  'invalid-disposition': NOTE, // No disposition type: `null`, with the parameters there are (RFC 2183 §2).
  'obsolete-date': NOTE, // A date in an obsolete or a common wrong form (RFC 5322 §4.3): read.
  'invalid-message-id': NOTE, // Text where a message-id belongs: left out, or taken for one when alone (RFC 5322 §3.6.4).
  'parameter-syntax': NOTE, // A parameter without a name, a value, a quote or a semicolon where one belongs: read as far as it goes (RFC 2045 §5.1).
  'content-type-syntax': NOTE_AMBIGUOUS, // Blanks, comments or anything but a semicolon inside or behind a media type: passed over (RFC 2045 §5.1).
  'encoded-word-in-parameter': NOTE, // An encoded-word in a parameter, where none may be: decoded (RFC 2047 §5).
  'invalid-encoded-word': NOTE, // An encoded-word with a flaw: decoded if its charset, encoding and text can be told, else literal (RFC 2047 §2).
  // Content
  'unknown-encoding': WARNING_AMBIGUOUS, // No known content-transfer-encoding: octets as they are, of an unknown type (RFC 2045 §6.4).
  'base64-after-padding': WARNING_AMBIGUOUS, // Something after the padding: decoded where a line is whole quanta, else left out (RFC 2045 §6.8).
  'base64-truncated': WARNING_AMBIGUOUS, // One digit of base64 alone, six bits: left out (RFC 2045 §6.8).
  'quoted-printable-invalid': WARNING_AMBIGUOUS, // “=” without two hexadecimal digits or a line end: literal (RFC 2045 §6.7).
  'base64-junk': WARNING, // An octet that is no digit of base64, at the first: passed over (RFC 2045 §6.8).
  'uuencode-invalid': WARNING, // Octets that are no uuencoded line, or no begin or end: passed over.
  'base64-padding': NOTE_AMBIGUOUS, // Padding is missing, or is where none belongs: digits decide (RFC 2045 §6.8).
  'quoted-printable-blank': NOTE_AMBIGUOUS, // Blanks between a “=” and a line end: a soft line break all the same (RFC 2045 §6.7 (3)).
  'quoted-printable-8bit': NOTE, // Octets above 127 in quoted-printable, at the first: kept (RFC 2045 §6.7).
}

export type DefectCode = keyof typeof DEFECTS

const FACTS: ReadonlyMap<string, DefectFacts> = new Map(Object.entries(DEFECTS))

export const isAmbiguous = (code: string): boolean => FACTS.get(code)?.ambiguous === true

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
