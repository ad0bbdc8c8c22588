/** The usual end of a file name for a media type, with its dot. */
export function fileExtension(type: string): string {
  const name = type.toLowerCase().replace(/;.*$/s, '').trim()
  const subtype = name.slice(name.indexOf('/') + 1)
  return EXTENSIONS.get(name) ?? (OWN_NAMES.has(subtype) ? `.${subtype}` : '.bin')
}

/** Subtypes that are the end of a name themselves, whatever the type before them. */
const OWN_NAMES = new Set('html xml csv json pdf rtf zip png gif webp'.split(' '))

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  // EDI (RFC 1767)
  ['application/edifact', '.edi'],
  ['application/edi-x12', '.x12'],
  ['application/edi-consent', '.edi'],
  ['text/plain', '.txt'],
  ['text/calendar', '.ics'],
  ['application/gzip', '.gz'],
  ['application/pkcs7-mime', '.p7m'],
  ['application/pkcs7-signature', '.p7s'],
  ['application/pgp-signature', '.asc'],
  ['application/msword', '.doc'],
  ['application/vnd.ms-excel', '.xls'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', '.docx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', '.xlsx'],
  ['application/ms-tnef', '.dat'],
  ['image/jpeg', '.jpg'],
  ['image/tiff', '.tif'],
  ['image/svg+xml', '.svg'],
  ['message/rfc822', '.eml'],
  ['message/global', '.eml'],
  ['message/delivery-status', '.txt'],
])
