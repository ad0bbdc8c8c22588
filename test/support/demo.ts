// npm start: three documents out by SMTP and back by POP3, over real sockets and TLS, from this process to a mail server in another one.
// Ends with status 0 only if every octet agreed.
import { createHash, randomBytes } from 'node:crypto'
import { MailConnector, type Logger, type MailDocument, type SendReceipt } from '../../src/index.ts'
import { demoDocuments, type DemoDocument } from './demo-documents.ts'
import { startServerProcess } from './start-server-process.ts'

interface Arrival {
  readonly octets: number
  readonly sha256: string
  readonly document: MailDocument
}

const FILE_BYTES = Number(process.env['WIREPOST_DEMO_BYTES'] ?? 50_000_000)

async function main(): Promise<boolean> {
  const user = 'partner'
  const password = randomBytes(12).toString('base64url')
  const server = await startServerProcess(user, password)
  const common = { host: server.host, tls: { ca: server.ca }, auth: { user, password } }
  const connector = new MailConnector({
    inbound: { ...common, port: server.pop3s },
    outbound: { ...common, port: server.smtps },
    state: 'memory',
    logger: COMPLAINTS,
  })
  try {
    console.log(
      `mail server in process ${server.pid}: smtps ${server.host}:${server.smtps}, pop3s ${server.host}:${server.pop3s}, TLS with a certificate made just now\n`,
    )
    const documents = demoDocuments(FILE_BYTES)
    const total = documents.reduce((sum, { octets }) => sum + octets, 0)

    let begun = performance.now()
    const receipts = await send(connector, documents, `${user}@example.test`)
    const sendMs = performance.now() - begun

    const arrivals: Arrival[] = []
    begun = performance.now()
    const report = await connector.get({ disposition: 'all', deleteFromServer: true }, async (document) => {
      arrivals.push(await digest(document))
    })
    const getMs = performance.now() - begun

    const agreed = documents.map((document, index) => show(document, receipts[index], arrivals))
    console.log(`sent  ${rate(total, sendMs)}`)
    console.log(
      `got   ${rate(total, getMs)}; listed ${report.listed}, documents ${report.documents}, deleted ${report.deleted}, failed ${report.failed}`,
    )
    const all = agreed.every(Boolean) && report.deleted === documents.length && report.failed === 0
    console.log(all ? `\nEvery octet agreed: ${documents.length} documents out and back.` : '\nNOT every octet agreed.')
    return all
  } finally {
    await connector.close()
    await server.close()
  }
}

function silent(): void {}

function complain(about: object, message?: string): void {
  console.error(message, about)
}

/** What is printed here says more than the log; only its complaints are shown. */
const COMPLAINTS: Logger = { trace: silent, debug: silent, info: silent, warn: complain, error: complain, child: () => COMPLAINTS }

async function send(connector: MailConnector, documents: readonly DemoDocument[], to: string): Promise<SendReceipt[]> {
  const receipts: SendReceipt[] = []
  for (const { disposition, contentType, fileName, subject, octets, content } of documents) {
    const operation = { from: 'Sender <sender@example.test>', to, subject, disposition, dataContentType: contentType }
    receipts.push(...(await connector.send(operation, [{ content: content(), size: octets, fileName }])))
  }
  return receipts
}

async function digest(document: MailDocument): Promise<Arrival> {
  const hash = createHash('sha256')
  let octets = 0
  for await (const chunk of document.content) {
    hash.update(chunk)
    octets += chunk.length
  }
  return { octets, sha256: hash.digest('hex'), document }
}

/** Prints what became of one document; true when what arrived is what was sent. */
function show(sent: DemoDocument, receipt: SendReceipt | undefined, arrivals: readonly Arrival[]): boolean {
  const arrival = arrivals.find(({ sha256 }) => sha256 === sent.sha256)
  const agreed = arrival !== undefined && arrival.octets === sent.octets && receipt?.outcome === 'accepted'
  const rows: [string, string][] = [
    ['outcome of send', receipt?.outcome ?? 'no receipt'],
    ['sent', `${sent.octets.toLocaleString('en')} octets, SHA-256 ${sent.sha256}`],
    ['got', arrival === undefined ? 'nothing with this digest' : `${arrival.octets.toLocaleString('en')} octets, SHA-256 ${arrival.sha256}`],
  ]
  if (arrival !== undefined) {
    rows.push(
      ['contentType', arrival.document.contentType],
      ...Object.entries(arrival.document.tracked).map(([name, value]): [string, string] => [name, value ?? '(none)']),
    )
  }
  console.log(`${agreed ? 'OK    ' : 'WRONG '} ${sent.title}`)
  for (const [name, value] of rows) console.log(`         ${name.padEnd(16)} ${value}`)
  console.log('')
  return agreed
}

function rate(octets: number, milliseconds: number): string {
  return `${(octets / 1_000_000).toFixed(1)} MB of documents in ${(milliseconds / 1000).toFixed(2)} s = ${(octets / 1000 / milliseconds).toFixed(0)} MB/s`
}

process.exitCode = (await main()) ? 0 : 1
