import { peakMiB } from '../../bench/processes.ts'
import { readMessage } from '../../src/mime/index.ts'
import { chunksOf, HOSTILE_INPUTS } from './dos.ts'

// A process that reads one hostile message as it comes, or only makes it, and says how much memory it had at most:
// `node dos-run.js read|make NAME COUNT`.
const [what, name, count] = process.argv.slice(2)
const hostile = HOSTILE_INPUTS.find((one) => one.name === name)
if (hostile === undefined) throw new Error('no such input')
const source = chunksOf(hostile, Number(count))
let octets = 0
if (what === 'make') for await (const chunk of source) octets += chunk.length
else {
  const message = await readMessage(source)
  void message.header.addresses('To')
  void message.header.value('Subject')
  for await (const part of message.parts()) {
    for await (const chunk of part.content) octets += chunk.length
    void part.defects
  }
}
console.log(JSON.stringify({ octets, peakMiB: peakMiB() }))
