import { printable } from '../bytes.ts'
import { connectChannel, pop3CommandChannel, pop3ReplyChannel, smtpCommandChannel, smtpReplyChannel, type DialogueMessage } from '../diagnostics.ts'
import { tell, type Io } from './io.ts'

/** Shows the dialogue on standard error until the result is called: `C:` for our lines, `S:` for the server's, `*` for the connection. */
export function traceDialogue(io: Io): () => void {
  const show =
    (mark: string) =>
    (message: unknown): void => {
      if (isDialogue(message)) tell(io.err, `${mark} ${printable(message.line, 2000)}\n`)
    }
  const connected = show('*')
  const command = show('C:')
  const reply = show('S:')
  connectChannel.subscribe(connected)
  for (const channel of [pop3CommandChannel, smtpCommandChannel]) channel.subscribe(command)
  for (const channel of [pop3ReplyChannel, smtpReplyChannel]) channel.subscribe(reply)
  return () => {
    connectChannel.unsubscribe(connected)
    for (const channel of [pop3CommandChannel, smtpCommandChannel]) channel.unsubscribe(command)
    for (const channel of [pop3ReplyChannel, smtpReplyChannel]) channel.unsubscribe(reply)
  }
}

function isDialogue(message: unknown): message is DialogueMessage {
  return typeof message === 'object' && message !== null && 'line' in message && typeof message.line === 'string'
}
