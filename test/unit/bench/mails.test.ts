import { expect, test } from 'vitest'
import { mails } from '../../../bench/pop3/mails.ts'

test('mails of about 2 KB, the same each time, whose lines nobody folds', () => {
  const all = mails(200, true)
  expect(all).toEqual(mails(200, true))
  expect(new Set(all.map(String)).size).toBe(200)
  const octets = all.reduce((sum, { length }) => sum + length, 0)
  expect(octets / all.length).toBeGreaterThan(1800)
  expect(octets / all.length).toBeLessThan(2200)
  for (const mail of all) {
    expect(mail.subarray(-2).toString()).toBe('\r\n')
    for (const line of mail.toString('latin1').split('\r\n')) expect(line.length).toBeLessThanOrEqual(76)
  }
})

test('only those for SMTP have lines that begin with a dot, which some POP3 clients do not take out again', () => {
  expect(mails(200, true).some((mail) => mail.includes('\r\n.'))).toBe(true)
  expect(mails(200, false).some((mail) => mail.includes('\r\n.'))).toBe(false)
})
