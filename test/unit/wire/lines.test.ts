import { expect, test } from 'vitest'
import { LineSplitter } from '../../../src/wire/lines.ts'
import { everySplit } from '../../support/every-split.ts'

function lines(chunks: readonly Buffer[], limit = 100): string[] {
  const splitter = new LineSplitter(limit)
  const found: string[] = []
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) found.push(line.toString('latin1'))
    chunk.fill(0xaa) // borrowed
  }
  return found
}

test.each([
  ['a\r\nb\r\n', ['a', 'b']],
  ['a\nb\n', ['a', 'b']],
  ['\r\n\n', ['', '']],
  ['a\rb\r\r\n', ['a\rb\r']],
  ['a\r\nrest', ['a']],
  ['\0\xff\r\n', ['\0\xff']],
])('%j has the lines %j, however it is chunked', (text, expected) => {
  for (const chunks of everySplit(text)) expect(lines(chunks)).toEqual(expected)
})

test('the limit counts the line end, and octets of a line that has not ended', () => {
  for (const chunks of everySplit('123456\r\n12345678\r\n')) expect(() => lines(chunks, 8)).toThrow(expect.objectContaining({ limit: true }))
  for (const chunks of everySplit('123456\r\n')) expect(lines(chunks, 8)).toEqual(['123456'])
  for (const chunks of everySplit('123456789')) expect(() => lines(chunks, 8)).toThrow(/more than 8 octets/)
})

test('what was not given out is counted, and can be taken by a reader of another shape', () => {
  const splitter = new LineSplitter(100)
  splitter.push(Buffer.from('+OK\r\ncontent'))
  expect(splitter.next()?.toString()).toBe('+OK')
  expect(splitter.unread).toBe(7)
  expect(splitter.take().toString()).toBe('content')
  expect(splitter.unread).toBe(0)
  splitter.push(Buffer.from('hal'))
  expect(splitter.next()).toBeUndefined()
  expect(splitter.unread).toBe(3)
  splitter.push(Buffer.from('f\r\nx'))
  splitter.push(Buffer.from('y\n')) // before the chunk was used up
  expect([splitter.next()?.toString(), splitter.next()?.toString()]).toEqual(['half', 'xy'])
})
