import type { Io } from './io.ts'

/** Shorter than this it would be found by chance in ordinary words. */
const SHORTEST = 6

/**
 * A function that takes the password out of text that a server wrote: servers have been seen to send back what they refuse. Also in the forms in
 * which it travels (base64 of itself, and PLAIN of RFC 4616).
 */
export function redactor(user: string, password: string): (text: string) => string {
  const forms = [password, base64(password), base64(`\0${user}\0${password}`)].filter((form) => form.length >= SHORTEST)
  return (text) => forms.reduce((left, form) => left.replaceAll(form, '***'), text)
}

/** The same process, but standard error never shows the password. Results are left alone: a file may well be called like it. */
export function redacted(io: Io, redact: (text: string) => string): Io {
  return {
    stdin: io.stdin,
    out: io.out,
    err: {
      write: (text) => io.err.write(redact(text)),
      get columns() {
        return io.err.columns
      },
    },
    env: io.env,
    signal: io.signal,
    terminal: () => io.terminal(),
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
