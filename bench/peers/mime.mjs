// The MIME parsers in JavaScript and WebAssembly: `mime.mjs PARSER [defaults|fastest] stream|box|touch FILE [check]`. What is measured is the same
// for all: every text becomes a string, every attachment octets that are counted. The clock is wirepost's own (bench/measure.ts).
import { readFileSync } from 'node:fs'
import { Meter } from '../../.build/js/bench/measure.js'
import { feed, readBox, warmUp } from '../../.build/js/bench/mime/feed.js'

const args = process.argv.slice(2)
const name = args.shift()
const isFastest = args[0] === 'fastest'
if (isFastest || args[0] === 'defaults') args.shift()
const [work, file, mode] = args
let meter
let characters = 0

const PARSERS = { mailparser, simpleParser, mailsplit, 'postal-mime': postalMime, letterparser, 'mail-parser-wasm': mailParserWasm }
/** What the documentation has to make it faster. */
const FASTEST = { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true, checksumAlgo: false }

const text = (value) => (characters += typeof value === 'string' ? value.length : 0)
const note = (subject, messageId) => meter.note(`${subject}|${messageId}|`)

/** Chunks of a file, or a message in memory, into a stream. */
async function fill(stream, message) {
  if (message !== undefined) return stream.end(message)
  for (const chunk of feed(file)) {
    meter.input += chunk.length
    if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
  }
  stream.end()
}

async function mailparser() {
  const { MailParser } = await import('mailparser')
  const options = isFastest ? FASTEST : {}
  return (message) =>
    new Promise((resolve, reject) => {
      const parser = new MailParser(options)
      parser.on('headers', (headers) => note(headers.get('subject'), headers.get('message-id')))
      parser.on('data', (data) => {
        if (data.type === 'attachment') {
          data.content.on('data', (chunk) => meter.content(chunk))
          data.content.on('end', () => data.release())
        } else {
          text(data.text)
          text(data.html)
        }
      })
      parser.on('end', resolve)
      parser.on('error', reject)
      fill(parser, message).catch(reject)
    })
}

async function simpleParser() {
  const mail = await import('mailparser')
  const { PassThrough } = await import('node:stream')
  const options = isFastest ? FASTEST : {}
  return async (message) => {
    let source = message
    if (message === undefined) {
      source = new PassThrough()
      void fill(source)
    }
    const parsed = await mail.simpleParser(source, options)
    note(parsed.subject, parsed.messageId)
    text(parsed.text)
    text(parsed.html)
    for (const { content } of parsed.attachments) meter.content(content)
  }
}

async function mailsplit() {
  const { Splitter } = await import('@zone-eu/mailsplit')
  return (message) =>
    new Promise((resolve, reject) => {
      const splitter = new Splitter()
      let decoder
      let open = 0
      let ended = false
      const close = () => void (ended && open === 0 && resolve())
      const finish = () => {
        decoder?.end()
        decoder = undefined
      }
      splitter.on('data', (data) => {
        if (data.type === 'node') {
          finish()
          if (data.multipart) return
          meter.parts++
          decoder = data.getDecoder()
          const counts = data.disposition === 'attachment' || !(data.contentType || 'text/plain').startsWith('text/')
          open++
          decoder.on('data', (chunk) => (counts ? meter.content(chunk) : text(chunk.toString())))
          decoder.on('error', reject)
          decoder.on('end', () => {
            open--
            close()
          })
        } else if (data.type === 'body') decoder?.write(data.value)
      })
      splitter.on('end', () => {
        finish()
        ended = true
        close()
      })
      splitter.on('error', reject)
      fill(splitter, message).catch(reject)
    })
}

async function postalMime() {
  const { default: PostalMime } = await import('postal-mime')
  return async (message) => {
    const parsed = await PostalMime.parse(message ?? whole())
    note(parsed.subject, parsed.messageId)
    text(parsed.text)
    text(parsed.html)
    for (const { content } of parsed.attachments) meter.content(new Uint8Array(content))
  }
}

async function letterparser() {
  const { extract, parse } = await import('letterparser')
  return (message) => {
    const node = parse((message ?? whole()).toString())
    const parsed = extract(node)
    note(parsed.subject, node.headers['Message-Id'])
    text(parsed.text)
    text(parsed.html)
    for (const { body } of parsed.attachments ?? []) meter.content(typeof body === 'string' ? Buffer.from(body) : body)
  }
}

async function mailParserWasm() {
  const bindings = await import('./node_modules/mail-parser-wasm/mail_parser_wasm_bg.js')
  const octets = readFileSync(new URL('./node_modules/mail-parser-wasm/mail_parser_wasm_bg.wasm', import.meta.url))
  const { instance } = await WebAssembly.instantiate(octets, { './mail_parser_wasm_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return (message) => {
    const parsed = bindings.parse_message((message ?? whole()).toString())
    const headers = parsed.headers
    const id = headers.find(({ key }) => key.toLowerCase() === 'message-id')?.value ?? ''
    note(parsed.subject, id.startsWith('<') ? id : `<${id}>`)
    text(parsed.text)
    text(parsed.body_html)
    for (const attachment of parsed.attachments) {
      meter.content(attachment.content)
      attachment.free()
    }
    for (const header of headers) header.free()
    parsed.free()
  }
}

function whole() {
  const octets = readFileSync(file)
  meter.input += octets.length
  return octets
}

const read = await PARSERS[name]()
const messages = work === 'stream' ? undefined : readBox(file)
meter = new Meter(mode === 'check')
if (messages === undefined) {
  meter.note = () => {} // of one message only the octets are hashed
  meter.start()
  await read(undefined)
} else {
  for (const message of warmUp(messages)) await read(message)
  meter.start()
  for (const message of messages) {
    meter.messages++
    await read(message)
  }
}
meter.print({ messages: messages === undefined ? undefined : meter.messages, parts: meter.parts === 0 ? undefined : meter.parts })
if (!(characters >= 0)) throw new Error('no text was made')
