/** Applies one content-transfer-encoding (RFC 2045 §6), a chunk at a time, cut anywhere. Lines are at most 76 columns and end in CRLF. */
export interface ContentEncoder {
  /** What can be decided; always memory of its own, never a view of `chunk`. */
  encode(chunk: Buffer): Buffer
  /** What was held back. The last line has no line end: the delimiter after it brings one (RFC 2046 §5.1.1). */
  end(): Buffer
}
