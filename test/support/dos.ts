/** Messages that cost a reader more than they cost their sender: what to make more of, how many, and the octets in pieces. */
export interface HostileInput {
  readonly name: string
  readonly count: number
  pieces(count: number): Generator<string, void, undefined>
}

const HEAD = 'From: a@x.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n'
const BODY = '\r\nx\r\n'
const PIECE = 64 * 1024
const LONG_BOUNDARY = 'b'.repeat(70)

/** The counts are those that the parser must stand at once, and four times over. */
export const HOSTILE_INPUTS: readonly HostileInput[] = [
  input('multiparts in multiparts', 1000, function* deep(count) {
    yield HEAD
    for (let at = 0; at < count; at++) yield `Content-Type: multipart/mixed; boundary="b${at}"\r\n\r\n--b${at}\r\n`
    yield 'Content-Type: text/plain\r\n\r\ndeep\r\n'
    for (let at = count - 1; at >= 0; at--) yield `--b${at}--\r\n`
  }),
  input('messages in messages', 1000, (count) => around(HEAD, count, () => 'Content-Type: message/rfc822\r\n\r\n', `Subject: deep\r\n${BODY}`)),
  input('parts', 100_000, (count) =>
    around(`${HEAD}Content-Type: multipart/mixed; boundary=a\r\n\r\n`, count, () => '--a\r\n\r\nx\r\n', '--a--\r\n'),
  ),
  input('octets in a field', 10_000_000, (count) => around(`${HEAD}X-Big: `, count / 100, () => 'a'.repeat(100), `\r\n${BODY}`)),
  input('folds of a field', 100_000, (count) => around(`${HEAD}X-Big: x\r\n`, count, () => ' yyyyyyyy\r\n', BODY)),
  input('fields', 100_000, (count) => around(HEAD, count, (at) => `X-${at}: y\r\n`, BODY)),
  input('parameters', 10_000, (count) => around(`${HEAD}Content-Type: text/plain`, count, (at) => `; p${at}=v`, `\r\n${BODY}`)),
  input('semicolons', 100_000, (count) => around(`${HEAD}Content-Type: text/plain`, count, () => ';', `\r\n${BODY}`)),
  input('addresses', 10_000, (count) => around('To: a@x.test', count, (at) => `,\r\n "N ${at}" <u${at}@x.test>`, `\r\n${HEAD}${BODY}`)),
  input('comments', 10_000, function* comments(count) {
    yield 'To: '
    yield* around('', count, () => '(', '')
    yield* around('', count, () => ')', ` a@x.test\r\n${HEAD}${BODY}`)
  }),
  input('encoded-words', 10_000, (count) => around('Subject:', count, () => ' =?utf-8?Q?=C5=BE?=', `\r\nFrom: a@x.test\r\n${BODY}`)),
  input('continuations', 10_000, (count) => around(`${HEAD}Content-Type: text/plain`, count, (at) => `; name*${at}=v`, `\r\n${BODY}`)),
  input('lines that are almost delimiters', 100_000, (count) =>
    around(
      `${HEAD}Content-Type: multipart/mixed; boundary=${LONG_BOUNDARY}\r\n\r\n--${LONG_BOUNDARY}\r\n\r\n`,
      count,
      () => `--${LONG_BOUNDARY.slice(1)}x\r\n`,
      `--${LONG_BOUNDARY}--\r\n`,
    ),
  ),
  input('octets in a line', 20_000_000, (count) => around(`${HEAD}\r\n`, count / 100, () => 'z'.repeat(100), '\r\n')),
]

/** The octets of an input in chunks, as a socket would give them; made while they are read. */
export async function* chunksOf(hostile: HostileInput, count: number): AsyncGenerator<Buffer, void, undefined> {
  let text = ''
  for (const piece of hostile.pieces(count)) {
    text += piece
    if (text.length < PIECE) continue
    yield Buffer.from(text, 'latin1')
    text = ''
  }
  yield Buffer.from(text, 'latin1')
}

export const octetsOf = (hostile: HostileInput, count: number): Buffer => Buffer.from([...hostile.pieces(count)].join(''), 'latin1')

function input(name: string, count: number, pieces: HostileInput['pieces']): HostileInput {
  return { name, count, pieces }
}

function* around(head: string, count: number, piece: (at: number) => string, tail: string): Generator<string, void, undefined> {
  yield head
  for (let at = 0; at < count; at++) yield piece(at)
  yield tail
}
