import { extname } from 'node:path'

/** The media type of a file by the end of its name, where it says one. */
export function mediaTypeOf(fileName: string): string | undefined {
  return TYPES.get(extname(fileName).slice(1).toLowerCase())
}

const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    // EDI (RFC 1767)
    edi: 'application/edifact',
    edifact: 'application/edifact',
    x12: 'application/edi-x12',
    '850': 'application/edi-x12',
    '810': 'application/edi-x12',
    '856': 'application/edi-x12',
    xml: 'application/xml',
    json: 'application/json',
    pdf: 'application/pdf',
    txt: 'text/plain',
    csv: 'text/csv',
    html: 'text/html',
    htm: 'text/html',
    ics: 'text/calendar',
    zip: 'application/zip',
    gz: 'application/gzip',
    tar: 'application/x-tar',
    '7z': 'application/x-7z-compressed',
    p7m: 'application/pkcs7-mime',
    p7s: 'application/pkcs7-signature',
    png: 'image/png',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    gif: 'image/gif',
    tif: 'image/tiff',
    tiff: 'image/tiff',
    webp: 'image/webp',
    svg: 'image/svg+xml',
    doc: 'application/msword',
    docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    xls: 'application/vnd.ms-excel',
    xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    ppt: 'application/vnd.ms-powerpoint',
    pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  }),
)
