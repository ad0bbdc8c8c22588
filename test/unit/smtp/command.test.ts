import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MailError } from '../../../src/errors.ts'
import * as commands from '../../../src/smtp/command.ts'
import { checkSubmission, type SubmitOptions } from '../../../src/smtp/envelope.ts'
import { normalizeDomain } from '../../../src/addr-spec.ts'
import { untyped } from '../../support/smtp-replay.ts'

test('nothing but printable ASCII gets through, UTF-8 only where it was agreed (S1)', () => {
  for (const text of ['a\r\nb', 'a\n', 'a\0', 'a\x7f', '\x1b', 'ü', '\u560d', '\u2028', '\u0085', '\ud800']) {
    expect(() => commands.ehlo(text), JSON.stringify(text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  }
})

test('lines have limits', () => {
  expect(commands.ehlo('x'.repeat(505)).octets).toHaveLength(512)
  expect(() => commands.ehlo('x'.repeat(506))).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
  expect(commands.auth('PLAIN', Buffer.alloc(9000), '').octets.length).toBeGreaterThan(12_000)
  expect(() => commands.auth('PLAIN', Buffer.alloc(9300), '')).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
})

test('credentials are shown as ***, and what must be masked is told', () => {
  expect(commands.auth('PLAIN', Buffer.from('x'), 'pw')).toMatchObject({ shown: 'AUTH PLAIN ***', secrets: ['eA==', 'pw'] })
  expect(commands.auth('PLAIN', Buffer.alloc(0), '').octets.toString()).toBe('AUTH PLAIN =\r\n')
  expect(commands.authResponse(Buffer.from('x'), 'pw')).toMatchObject({ shown: '***', secrets: ['eA==', 'pw'] })
  expect(commands.authResponse(Buffer.alloc(0), 'pw')).toMatchObject({ shown: '***', secrets: ['', 'pw'] })
})

const EVERYTHING = new Map(['SIZE', '8BITMIME', 'SMTPUTF8', 'DSN', 'REQUIRETLS'].map((keyword) => [keyword, '']))
const TERMS = { extensions: EVERYTHING, isSecure: true, chunking: false, pipelining: 'envelope' } as const

/** Text that likes to break out. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        '>',
        '<',
        ' ',
        '"',
        '\\',
        '@',
        'a',
        'x.test',
        '.',
        '\u560d',
        '\u2028',
        '\ud800',
        'RCPT TO:<e@e>',
        '[',
        ']',
        'ü',
        '=',
      ),
    )
    .map((pieces) => pieces.join('')),
  fc.tuple(fc.string({ unit: 'binary' }), fc.constant('@x.test')).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary' }).map((text) => `"${text}"@x.test`),
)

test('nothing that is given as address, name or option can add a line or a parameter to the wire', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, fc.boolean(), (from, to, envid, secure) => {
      const lines: Buffer[] = []
      try {
        const options: SubmitOptions = { dsn: { envid, notify: [untyped(envid), 'failure'] } }
        const envelope = checkSubmission({ from, to: [to, to], options: secure ? options : {} }, Buffer.from('ü'), TERMS)
        lines.push(...envelope.commands.slice(0, -1).map(({ octets }) => octets))
      } catch (error) {
        expect(error).toBeInstanceOf(MailError)
      }
      try {
        const name = normalizeDomain(from)
        if (name !== undefined) lines.push(commands.ehlo(name).octets)
      } catch (error) {
        expect(error).toBeInstanceOf(MailError)
      }
      for (const octets of lines) {
        expect(octets.indexOf('\r')).toBe(octets.length - 2)
        expect(octets.indexOf('\n')).toBe(octets.length - 1)
        expect(octets.includes(0)).toBe(false)
        expect(octets.length).toBeLessThanOrEqual(1000)
        // Outside quoted strings there is one path, and behind it only parameters of ours.
        const bare = octets.toString('latin1').replace(/"(?:[^"\\]|\\.)*"/, '')
        expect(bare).toMatch(
          /^(?:EHLO [^ <>]+|MAIL FROM:<[^<> ]*>(?: (?:ENVID|SIZE|BODY)=[!-~]+| SMTPUTF8)*|RCPT TO:<[^<> ]+>(?: NOTIFY=[A-Z,]+)?)\r\n$/,
        )
      }
    }),
    { numRuns: 3000 },
  )
})
