// node-pop3's stream into mailparser: as bench/path/fetch.ts. `node fetch.mjs attachment|mails defaults|fastest MAILDROP`
import { MailParser } from 'mailparser'
import Pop3Command from 'node-pop3'
import { Meter } from '../../.build/js/bench/measure.js'
import { summary } from '../../.build/js/bench/path/summary.js'

const FASTEST = { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true, checksumAlgo: false }

const [what, settings, given] = process.argv.slice(2)
const { port, messages } = JSON.parse(given)
const options = settings === 'fastest' ? FASTEST : {}
const pop3 = new Pop3Command({ user: 'u1', password: 'pw-1', host: '127.0.0.1', port })
await pop3._connect()

async function take(number) {
  const [, octets] = await pop3.command('RETR', number)
  const parser = new MailParser(options)
  let headers
  let text = ''
  await new Promise((resolve, reject) => {
    parser.on('headers', (map) => (headers = map))
    parser.on('data', (data) => {
      if (data.type === 'attachment') {
        data.content.on('data', (chunk) => meter.content(chunk))
        data.content.on('end', () => data.release())
      } else text += data.text ?? ''
    })
    parser.on('end', resolve)
    parser.on('error', reject)
    octets.on('error', reject)
    octets.pipe(parser)
  })
  const mail = { subject: headers.get('subject'), from: headers.get('from').value[0].address, date: headers.get('date'), text }
  meter.messages++
  if (what === 'mails' && meter.isChecked) meter.note(summary(mail))
}

const meter = new Meter(process.argv.at(-1) === 'check')
meter.start()
for (let number = 1; number <= messages; number++) await take(number)
const measured = meter.stop(what === 'mails' ? { parts: undefined, octets: undefined } : {})
await pop3.QUIT()
console.log(JSON.stringify(measured))
