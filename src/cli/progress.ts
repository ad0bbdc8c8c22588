import { tell, type Io, type Output } from './io.ts'
import { humanOctets } from './table.ts'

/** Ten times a second is as often as an eye wants it. */
const REDRAW_MS = 100

/**
 * One line at the bottom of the terminal, drawn anew as work goes on. Whatever is written through `io` takes its place first, so that lines never
 * mix. Without a terminal on standard error it draws nothing.
 */
export class Progress {
  /** The process to write to while this lives. */
  readonly io: Io
  readonly #err: Output
  readonly #active: boolean
  readonly #from = performance.now()
  #drawnAt = Number.NEGATIVE_INFINITY
  #shown = false
  #octets = 0
  #summary = ''

  constructor(io: Io, wanted: boolean) {
    this.#err = io.err
    this.#active = wanted && io.err.columns !== undefined
    this.io = { ...io, out: this.#above(io.out), err: this.#above(io.err) }
  }

  /** What is done so far, in words. */
  say(summary: string): void {
    this.#summary = summary
    this.#draw()
  }

  moved(octets: number): void {
    this.#octets += octets
    this.#draw()
  }

  /** Takes the line away. */
  end(): void {
    if (!this.#shown) return
    this.#shown = false
    tell(this.#err, CLEAR)
  }

  #draw(): void {
    if (!this.#active) return
    const now = performance.now()
    if (now - this.#drawnAt < REDRAW_MS) return
    this.#drawnAt = now
    this.#shown = true
    const seconds = Math.max(0.001, (now - this.#from) / 1000)
    const line = `${this.#summary}  ${humanOctets(this.#octets)}  ${humanOctets(this.#octets / seconds)}/s`
    tell(this.#err, CLEAR + line.slice(0, (this.#err.columns ?? 80) - 1))
  }

  #above(output: Output): Output {
    return {
      write: (text) => {
        this.end()
        return output.write(text)
      },
      get columns() {
        return output.columns
      },
    }
  }
}

/** To the start of the line, and nothing left of it (ECMA-48 EL). */
const CLEAR = '\r\u001B[K'
