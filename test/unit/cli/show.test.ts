import { expect, test } from 'vitest'
import { jsonLine } from '../../../src/cli/json.ts'
import { consoleLog } from '../../../src/cli/log.ts'
import { mediaTypeOf } from '../../../src/cli/media-type.ts'
import { Progress } from '../../../src/cli/progress.ts'
import { humanOctets, Table } from '../../../src/cli/table.ts'
import { traceDialogue } from '../../../src/cli/trace.ts'
import { pop3CommandChannel, smtpReplyChannel } from '../../../src/diagnostics.ts'
import { fakeIo } from './fake-io.ts'

test('a JSON line is one line for every terminal, and means the same', () => {
  const value = { a: 'x\n\u001B\u007F\u0085\u202E\u2028\uFEFFä😀"\\' }
  const line = jsonLine(value)
  expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u202E\u2028\uFEFF]/u)
  expect(JSON.parse(line)).toEqual(value)
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [1024 ** 2 * 999, '999.0 MiB'],
  [1024 ** 2 * 1000, '1.0 GiB'],
  [1024 ** 5, '1024.0 TiB'],
])('%i octets are %s', (octets, text) => expect(humanOctets(octets)).toBe(text))

test('a row is cut at the width of the terminal', () => {
  const table = new Table(
    [
      { title: 'A', width: 4 },
      { title: 'B', width: 4, align: 'right' },
    ],
    8,
  )
  expect(table.row(['x', '1'])).toBe('x        1\n'.slice(0, 7) + '…\n')
  expect(table.row(['', ''])).toBe('\n')
})

test.each([
  ['order.edi', 'application/edifact'],
  ['ORDER.X12', 'application/edi-x12'],
  ['a/b.c/picture.JPEG', 'image/jpeg'],
  ['archive.tar.gz', 'application/gzip'],
  ['Makefile', undefined],
  ['.profile', undefined],
  ['x.__proto__', undefined],
  ['x.constructor', undefined],
])('%s is %s', (name, type) => expect(mediaTypeOf(name)).toBe(type))

test('the dialogue is shown line by line, and no more after the end', () => {
  const io = fakeIo()
  const stop = traceDialogue(io)
  const facts = { host: 'h', port: 1, label: undefined }
  pop3CommandChannel.publish({ ...facts, line: 'PASS ***' })
  smtpReplyChannel.publish({ ...facts, line: '250 a\nC: QUIT\u001B[2J' })
  smtpReplyChannel.publish('nonsense')
  stop()
  pop3CommandChannel.publish({ ...facts, line: 'NOOP' })
  expect(io.written.err).toBe('C: PASS ***\nS: 250 a\\u{a}C: QUIT\\u{1b}[2J\n')
})

test('the log of each level, one line an entry, with its reason', () => {
  const written = { error: '', warn: '', debug: '' }
  for (const level of ['error', 'warn', 'debug'] as const) {
    const io = fakeIo()
    const log = consoleLog(io, 'get', level)
    log.debug({ n: 1, nested: {} }, 'd')
    log.info({ reason: 'from another sender', uniqueId: 'a\nb' }, 'message skipped')
    log.child({}).warn({ error: 'Error: x' }, 'w')
    log.error({}, 'e')
    written[level] = io.written.err
    expect(log.errors).toBe(1)
  }
  expect(written.error).toBe('wirepost get: error: e\n')
  expect(written.warn).toBe('wirepost get: warning: w: Error: x\nwirepost get: error: e\n')
  expect(written.debug).toBe(
    'wirepost get: debug: d (n=1)\nwirepost get: info: message skipped: from another sender (uniqueId=a\\u{a}b)\n' +
      'wirepost get: warning: w: Error: x\nwirepost get: error: e\n',
  )
})

test('progress gives way to every line, and is cut at the width of the terminal', async () => {
  const io = fakeIo({ columns: 12 })
  const progress = new Progress(io, true)
  progress.say('1 message of many')
  progress.moved(5) // within a tenth of a second: not drawn
  await progress.io.out.write('line\n')
  progress.end()
  expect(io.written).toEqual({ out: 'line\n', err: '\r\u001B[K1 message o\r\u001B[K' })
})
