/** The message as RETR sends it: dots doubled at line starts, and the final dot line (RFC 1939 §3). */
export function stuffed(message: Buffer): Buffer {
  const pieces: Buffer[] = []
  let from = 0
  if (message[0] === 46) pieces.push(Buffer.from('.'))
  for (let hit = message.indexOf('\n.'); hit >= 0; hit = message.indexOf('\n.', hit + 1)) {
    pieces.push(message.subarray(from, hit + 1), Buffer.from('.'))
    from = hit + 1
  }
  return Buffer.concat([...pieces, message.subarray(from), Buffer.from('.\r\n')])
}
