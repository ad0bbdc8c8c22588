import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { mailbox } from '../../../bench/mime/mailbox.ts'
import { parseMessage, type Entity } from '../../../src/mime/index.ts'

function leaves(entity: Entity): readonly Entity[] {
  return entity.parts.length === 0 ? [entity] : entity.parts.flatMap(leaves)
}

test('every message of the realistic mailbox is one, and is what it says', () => {
  const make = mailbox(4711)
  const charsets = new Set<string | null>()
  const structures = new Set<string>()
  for (let at = 0; at < 300; at++) {
    const { message, subject, messageId, contents, leaves: count } = make(at)
    const entity = parseMessage(message)
    const found = leaves(entity)
    expect(entity.header.value('subject')).toBe(subject)
    expect(entity.header.messageIds('message-id')).toHaveLength(1)
    expect(entity.header.value('message-id')).toBe(messageId)
    expect(entity.header.addresses('to').length).toBeGreaterThan(0)
    expect(entity.header.date()).not.toBeNull()
    expect(found).toHaveLength(count)
    const attachments = found.filter(({ type, disposition }) => disposition === 'attachment' || !type.startsWith('text/'))
    expect(attachments.map((part) => part.content())).toEqual(contents)
    for (const part of found) {
      expect(part.text()).not.toContain('\ufffd'.repeat(part.type.startsWith('text/') ? 1 : 1e6))
      if (part.type.startsWith('text/')) charsets.add(part.charset)
    }
    expect([entity, ...found].flatMap(({ defects }) => defects.filter(({ severity }) => severity !== 'note'))).toEqual([])
    structures.add(entity.type)
  }
  expect([...charsets].toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(['iso-8859-1', 'koi8-r', 'us-ascii', 'utf-8', 'windows-1252'])
  expect(structures.size).toBe(5)
})

function digest(seed: number): string {
  const make = mailbox(seed)
  const hash = createHash('sha256')
  for (let at = 0; at < 50; at++) hash.update(make(at).message)
  return hash.digest('hex')
}

test('the same seed is the same mailbox', () => {
  expect(digest(1)).toBe(digest(1))
  expect(digest(1)).not.toBe(digest(2))
})
