/** Wrong use, or something that the command itself noticed: one line that says what happened and what to do, and the exit status. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** 1 not all done, 2 wrong use, configuration or an unreadable file, 3 the server could not be reached, trusted or logged in to. */
  readonly status: 1 | 2 | 3

  constructor(message: string, status: 1 | 2 | 3 = 2) {
    super(message)
    this.status = status
  }
}
