/** Marks errors of the given chunks, so that they are not mistaken for failures of the store. */
export class SourceError extends Error {}

export async function* keepingErrors(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* chunks
  } catch (cause) {
    throw new SourceError('read the chunks to write', { cause })
  }
}
