// Compiled, never run. Whoever wrote code against the contract can use the source: what they give is taken, what they get is what they expect.
import * as wirepost from '../../src/index.ts'
import * as mime from '../../src/mime/index.ts'
import * as pop3 from '../../src/pop3/index.ts'
import * as smtp from '../../src/smtp/index.ts'
import type * as contract from './contract.d.ts'

/** Takes what `satisfies` has looked at: what ours gives can be used where the contract's value is expected. */
function given(..._values: readonly unknown[]): void {}

declare const options: ConstructorParameters<typeof contract.MailConnector>[0]
declare const serverOptions: contract.ServerOptions
declare const smtpOptions: contract.SmtpOptions
declare const getOperation: contract.GetOperation
declare const sendOperation: contract.SendOperation
declare const documents: Iterable<contract.OutgoingDocument> | AsyncIterable<contract.OutgoingDocument>
declare const handler: (document: contract.MailDocument) => unknown
declare const signal: AbortSignal
declare const draft: contract.Draft
declare const envelope: contract.Envelope
declare const octets: Uint8Array
declare const stream: AsyncIterable<Uint8Array>
declare const pino: contract.Logger

export async function connector(): Promise<void> {
  const ours = new wirepost.MailConnector(options)
  given((await ours.get(getOperation, handler, { signal })) satisfies contract.GetReport)
  given((await ours.send(sendOperation, documents, { signal })) satisfies contract.SendReceipt[])
  await ours.close()
  await ours[Symbol.asyncDispose]()
  given(ours satisfies Pick<contract.MailConnector, keyof contract.MailConnector>)
  given(pino satisfies wirepost.Logger)
}

export async function clients(): Promise<void> {
  given((await pop3.Pop3Client.connect(serverOptions)) satisfies Pick<contract.Pop3Client, keyof contract.Pop3Client>)
  const client = await smtp.SmtpClient.connect(smtpOptions)
  given(client satisfies Pick<contract.SmtpClient, keyof contract.SmtpClient>)
  given((await client.submit(envelope, octets)) satisfies contract.Receipt)
  const pool = new smtp.SmtpPool({ ...smtpOptions, maxConnections: 2, maxMessages: 3, rate: { messages: 1, perMs: 2 } })
  given(pool satisfies Pick<contract.SmtpPool, keyof contract.SmtpPool>)
}

export async function messages(): Promise<void> {
  const entity = mime.parseMessage(octets, { limits: { depth: 3 }, strict: false, onLimit: 'leaf' })
  given(entity satisfies contract.Entity)
  given(mime.selectBody(entity) satisfies ReturnType<typeof contract.selectBody>)
  const message = await mime.readMessage(stream)
  given(message satisfies contract.Message)
  for await (const part of message.parts({ enclosed: 'leaf' })) given(part satisfies contract.Part)
  given(mime.composeMessage(draft, { transport: '8bit' }) satisfies contract.Composed)
}

export function errors(error: wirepost.MailError): void {
  given(error satisfies contract.MailError)
}
