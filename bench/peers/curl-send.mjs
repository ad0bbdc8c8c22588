// curl sends the message ready-made: nothing is read from the attachment, encoded or composed. `node curl-send.mjs ORDER`
import { measure } from './child.mjs'
import { forget, tally } from '../../.build/js/bench/smtp/tally.js'

const check = process.argv.at(-1) === 'check'
const order = JSON.parse(process.argv[2])
await forget(order)
const url = `${order.ca === undefined ? 'smtp' : 'smtps'}://127.0.0.1:${order.port}/bench.example.test`
const trust = order.ca === undefined ? [] : ['--cacert', order.caFile]
const args = [
  '--silent',
  '--show-error',
  ...trust,
  '--mail-from',
  'a@example.test',
  '--mail-rcpt',
  'b@example.test',
  '--upload-file',
  order.ready,
  url,
]
const measured = await measure('curl', args)
console.log(JSON.stringify({ ...measured, ...(await tally(order, 'attachment', check)) }))
