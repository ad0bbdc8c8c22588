import { mails } from '../pop3/mails.ts'

/** What must have been read of a mail, whoever reads it. */
export interface ReadMail {
  readonly subject: string | undefined
  readonly from: string | undefined
  readonly date: Date | null | undefined
  readonly text: string
}

/** The same text for all who read the same, whatever line ends they like. */
export function summary({ subject, from, date, text }: ReadMail): string {
  return `${subject}|${from}|${date?.toISOString()}|${text.replaceAll('\r\n', '\n').trimEnd()}\n`
}

/** What everybody must read of the mails, found without a parser: it knows only what `mails` writes. */
export function expectedSummaries(count: number): string[] {
  return mails(count, false).map((mail) => {
    const all = mail.toString('latin1')
    const end = all.indexOf('\r\n\r\n')
    const header = all.slice(0, end)
    const field = (name: string): string => new RegExp(`^${name}: (.*)\r$`, 'm').exec(`${header}\r\n`)?.[1] ?? ''
    const from = /<(.*)>/.exec(field('From'))?.[1]
    return summary({ subject: field('Subject'), from, date: new Date(field('Date')), text: all.slice(end + 4) })
  })
}
