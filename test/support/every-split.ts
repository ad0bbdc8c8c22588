/** The same octets in every way that matters to a parser: whole, one by one, with empty chunks between, and cut in two at each place. */
export function* everySplit(wire: string | Uint8Array): Generator<Buffer[]> {
  const octets = typeof wire === 'string' ? Buffer.from(wire, 'latin1') : Buffer.from(wire)
  yield [Buffer.from(octets)]
  yield byOctet(octets)
  yield [Buffer.alloc(0), ...byOctet(octets).flatMap((octet) => [octet, Buffer.alloc(0)])]
  for (let at = 1; at < octets.length; at++) yield [Buffer.from(octets.subarray(0, at)), Buffer.from(octets.subarray(at))]
}

export function byOctet(octets: Uint8Array): Buffer[] {
  return Array.from(octets, (octet) => Buffer.of(octet))
}
