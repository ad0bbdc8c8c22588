import { composeMessage } from '../../src/mime/composer.ts'
import type { Draft } from '../../src/mime/draft.ts'
import { randomOctets } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'

const DRAFT: Draft = {
  from: 'Jürgen Müller <jm@example.test>',
  to: 'Anna Novák <an@example.com>; sales@example.org',
  subject: 'Rechnung 4711 für November',
  date: new Date('2026-11-22T10:00:00Z'),
  messageId: '4711@example.test',
  text: 'Sehr geehrte Frau Novák,\nanbei die Rechnung.\n'.repeat(20),
  html: '<p>Sehr geehrte Frau Novák,<br>anbei die Rechnung.</p>'.repeat(20),
}

async function lengthOf(chunks: AsyncIterable<Buffer>): Promise<number> {
  let length = 0
  for await (const chunk of chunks) length += chunk.length
  return length
}

export const micros: readonly Micro[] = [
  {
    name: 'composeMessage, text and HTML',
    hot: true,
    warmMs: 500,
    unit: 'messages',
    prepare: () => ({
      amount: 20,
      async run() {
        let length = 0
        for (let left = 20; left > 0; left--) length += await lengthOf(composeMessage(DRAFT))
        return length
      },
    }),
  },
  {
    name: 'composeMessage, 8 MiB attachment',
    unit: 'MB',
    plainly: 'each chunk in memory of its own, not in that of one before',
    prepare() {
      const content = randomOctets(8 * 1024 * 1024)
      const composed = composeMessage({ ...DRAFT, attachments: [{ content, fileName: 'a.bin' }] })
      return { amount: content.length, run: () => lengthOf(composed.borrowed()), plain: () => lengthOf(composed) }
    },
  },
]
