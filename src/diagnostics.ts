import { channel } from 'node:diagnostics_channel'

/** What is published on the diagnostics channels `mail:tls:connect`, `mail:pop3:command`, `mail:pop3:reply`, `mail:smtp:command` and
 *  `mail:smtp:reply`, when somebody listens. Credentials are replaced by `***` before; text is not yet made printable. */
export interface DialogueMessage {
  readonly host: string
  readonly port: number
  /** `label` of the connection's options. */ readonly label: string | undefined
  /** One line of the dialogue without its line end, or a sentence about content. */ readonly line: string
}

export const connectChannel = channel('mail:tls:connect')
export const pop3CommandChannel = channel('mail:pop3:command')
export const pop3ReplyChannel = channel('mail:pop3:reply')
export const smtpCommandChannel = channel('mail:smtp:command')
export const smtpReplyChannel = channel('mail:smtp:reply')
