/** Everything that a source gives, as it comes. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** Octets as text, one character each. Copies each chunk, which may be borrowed. */
export async function text(source: AsyncIterable<Buffer>): Promise<string> {
  let all = ''
  for await (const chunk of source) all += chunk.toString('latin1')
  return all
}
