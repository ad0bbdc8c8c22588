/** The usual end of a file name for a media type, with its dot. */
export function fileExtension(type: string): string {
  return EXTENSIONS.get(type.toLowerCase().replace(/;.*$/s, '').trim()) ?? '.bin'
}

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  // EDI (RFC 1767)
  ['application/edifact', '.edi'],
  ['application/edi-x12', '.x12'],
  ['application/edi-consent', '.edi'],
  ['text/plain', '.txt'],
  ['text/html', '.html'],
  ['text/xml', '.xml'],
  ['application/xml', '.xml'],
  ['text/csv', '.csv'],
  ['text/calendar', '.ics'],
  ['application/json', '.json'],
  ['application/pdf', '.pdf'],
  ['application/rtf', '.rtf'],
  ['application/zip', '.zip'],
  ['application/gzip', '.gz'],
  ['application/pkcs7-mime', '.p7m'],
  ['application/pkcs7-signature', '.p7s'],
  ['application/pgp-signature', '.asc'],
  ['application/msword', '.doc'],
  ['application/vnd.ms-excel', '.xls'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', '.docx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', '.xlsx'],
  ['application/ms-tnef', '.dat'],
  ['image/png', '.png'],
  ['image/jpeg', '.jpg'],
  ['image/gif', '.gif'],
  ['image/tiff', '.tif'],
  ['image/webp', '.webp'],
  ['image/svg+xml', '.svg'],
  ['message/rfc822', '.eml'],
  ['message/global', '.eml'],
  ['message/delivery-status', '.txt'],
])
