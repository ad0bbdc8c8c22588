import { MemoryTransport } from './memory-transport.ts'

/** A POP3 server in memory that answers what came in one flight at once: a flight is a time when it had to wait for the client. */
export class FlightServer extends MemoryTransport {
  /** Command lines, by flight. */ readonly flights: string[][] = []
  /** The most commands, and octets of them, that were under way. */
  most = 0
  mostOctets = 0
  readonly #answer: (line: string) => string | null
  readonly #linkMs: number
  #coming: string[] | undefined

  /** @param answer to a command line, `null` for none @param linkMs from a flight to its answers; 0: as soon as the client waits */
  constructor(answer: (line: string) => string | null, linkMs = 0) {
    super()
    this.#answer = answer
    this.#linkMs = linkMs
    this.onWrite = (octets) => this.#take(octets)
    this.feed('+OK <1.2@pop.test>\r\n')
  }

  #take(octets: Buffer): void {
    const lines = octets.toString('latin1').split('\r\n').slice(0, -1)
    if (this.#coming === undefined) {
      const flight: string[] = []
      this.#coming = flight
      this.flights.push(flight)
      const arrive = (): void => {
        this.#coming = undefined
        const said = flight.map(this.#answer).filter((one) => one !== null)
        if (said.length > 0 && !this.destroyed) this.feed(said.join(''))
      }
      if (this.#linkMs > 0) setTimeout(arrive, this.#linkMs)
      else setImmediate(arrive)
    }
    this.#coming.push(...lines)
    this.most = Math.max(this.most, this.#coming.length)
    this.mostOctets = Math.max(
      this.mostOctets,
      this.#coming.reduce((sum, line) => sum + line.length + 2, 0),
    )
  }
}

/** The content of message `number` in these tests. */
export const contentOf = (number: number): string => `Subject: ${number}\r\n\r\n..${'x'.repeat(number % 50)}\r\n`

/** What a server with these capabilities says; `special` goes first. */
export function answers(capabilities: readonly string[], special: (line: string) => string | null | undefined = () => undefined) {
  return (line: string): string | null => {
    const said = special(line)
    if (said !== undefined) return said
    const [verb = '', number = ''] = line.split(' ')
    if (verb === 'CAPA') return `+OK\r\n${capabilities.map((one) => `${one}\r\n`).join('')}.\r\n`
    if (verb === 'RETR') return `+OK\r\n${contentOf(Number(number))}.\r\n`
    if (verb === 'TOP') return `+OK\r\nSubject: ${number}\r\n\r\n.\r\n`
    if (verb === 'UIDL' && number !== '') return `+OK ${number} u${number}\r\n`
    return '+OK\r\n'
  }
}
