/** All bytes of chunks, of which there are so many. */
export async function joined(
  length: number,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  for await (const chunk of chunks) {
    bytes.set(chunk, filled)
    filled += chunk.byteLength
  }
  return bytes
}

/** The bytes as the only chunk. */
export async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
