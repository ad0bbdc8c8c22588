import { expect, test } from 'vitest'
import { UuDecoder } from '../../../../src/mime/encoding/uuencode.ts'
import { everySplit } from '../../../support/every-split.ts'
import { decodeChunks } from './decoding.ts'

test.each<[name: string, wire: string, text: string, defects: string[]]>([
  ['nothing', '', '', []],
  ['a file', 'begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n', 'Cat', []],
  ['blank lines around it', '\r\nbegin 644 cat.txt\n#0V%T\n \nend\n\n', 'Cat', []],
  ['no begin', '#0V%T\r\n`\r\nend', 'Cat', ['uuencode-invalid@0']],
  ['text before it', 'Hello!\r\nbegin 644 cat.txt\r\n#0V%T\r\nend', 'Cat', ['uuencode-invalid@0']],
  ['text after it', 'begin 644 cat.txt\r\n#0V%T\r\nend\r\nbye', 'Cat', ['uuencode-invalid@31']],
  ['no end', 'begin 644 cat.txt\r\n#0V%T\r\n', 'Cat', ['uuencode-invalid@26']],
  ['blanks that were cut', 'begin 644 z\r\n#\r\n#0P\r\nend', '\0\0\0C\0\0', []],
  ['a checksum character', 'begin 644 cat.txt\r\n#0V%TX\r\nend', 'Cat', []],
  ['lines without their checksum', 'begin 644 x\r\n%86)C9&4\r\n`\r\nend', 'abcde', []],
  ['graves and blanks for zeros', 'begin 644 x\r\n&`   ```P\r\n \r\nend', '\0\0\0\0\x000', []],
  ['a mode of four digits and no name', 'begin 0644\r\n#0V%T\r\n`\r\nend', 'Cat', []],
  ['text that begins with begin', 'begin with this\r\nbegin 644 x\r\n#0V%T\r\nend', 'Cat', ['uuencode-invalid@0']],
  ['the first of two files', 'begin 644 x\n#0V%T\n`\nend\nbegin 644 y\n#0V%T\nend\n', 'Cat', ['uuencode-invalid@24']],
  ['begin and nothing else', 'begin 644 x', '', ['uuencode-invalid@11']],
  ['text only', 'no file here\r\nat all', '', ['uuencode-invalid@0']],
  ['letters that no encoder writes', 'begin 644 x\n#0v%t\nend', 'AaT', ['uuencode-invalid@12']],
  ['a line too long to be one', `begin 644 cat.txt\r\n#0V%T${'x'.repeat(200)}\r\nend`, 'Cat', ['uuencode-invalid@19']],
])('decodes %s, however it is chunked', (_name, wire, text, defects) => {
  for (const chunks of everySplit(wire)) expect(decodeChunks(new UuDecoder(), chunks)).toEqual({ text, defects })
})

test('many lines of zeros whose blanks were cut', () => {
  const wire = `begin 644 z\n${'M\n'.repeat(5000)}end\n`
  expect(decodeChunks(new UuDecoder(), [Buffer.from(wire)])).toEqual({ text: '\0'.repeat(45 * 5000), defects: [] })
})
