import { Random } from '../messages.ts'

const WORDS =
  'order invoice pallet quantity delivery price street total net gross please find attached the list of items for your reference with'.split(' ')
const NAMES = ['Anna Novak', 'John Smith', 'Maria Garcia', 'Sales', 'Ivan Petrov', 'Pat OBrien'] as const
const TEXT_OCTETS = 1500

/** Short business mails of about 2 KB, in ASCII, each different. @param dots now and then a line begins with one, which DATA must double */
export function mails(count: number, dots: boolean): Buffer[] {
  const random = new Random(2048)
  return Array.from({ length: count }, (_, at) => Buffer.from(mail(random, at, dots), 'latin1'))
}

function mail(random: Random, at: number, dots: boolean): string {
  const minute = String(at % 60).padStart(2, '0')
  return (
    `Received: from mx1.example.test (mx1.example.test [192.0.2.1])\r\n\tby mail.example.test with ESMTPS id ${at};\r\n\tSun, 22 Nov 2026 10:${minute}:00 +0000\r\n` +
    `From: "${random.pick(NAMES)}" <user${random.next(1000)}@example.test>\r\nTo: "${random.pick(NAMES)}" <user${random.next(1000)}@example.com>\r\n` +
    `Subject: Order ${random.next(1e9)}\r\nDate: Sun, 22 Nov 2026 10:${minute}:00 +0000\r\nMessage-ID: <${at}.${random.next(1e9)}@example.test>\r\n` +
    `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n${text(random, dots)}`
  )
}

/** Lines of ASCII words, 1,200 to 1,800 octets; none is so long that somebody would fold it. */
export function text(random: Random, dots: boolean): string {
  const octets = (TEXT_OCTETS * 4) / 5 + random.next((TEXT_OCTETS * 2) / 5)
  let lines = ''
  for (let line = ''; lines.length < octets; line = dots && random.next(50) === 0 ? '.' : '') {
    const length = 50 + random.next(14)
    while (line.length < length) line += `${random.pick(LIST)} `
    lines += `${line.trimEnd()}\r\n`
  }
  return lines
}

const [first = '', ...others] = WORDS
const LIST: readonly [string, ...string[]] = [first, ...others]
