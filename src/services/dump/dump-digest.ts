import { createHash } from 'node:crypto'
import type { DumpPiece } from '../../formats/dump/dump-index.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** In hexadecimal. */
export async function sha256Of(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

export function sha256OfPieces(
  objects: ObjectStore,
  pieces: readonly DumpPiece[],
  signal: AbortSignal,
): Promise<string> {
  return sha256Of(readPieces(objects, pieces, signal))
}

/** The bytes of the pieces, one after the other, read as they are pulled; in the `buffer` if one is given. */
export async function* readPieces(
  objects: ObjectStore,
  pieces: readonly Pick<DumpPiece, 'location' | 'offset' | 'lengthBytes'>[],
  signal?: AbortSignal,
  buffer?: Uint8Array,
): AsyncIterable<Uint8Array> {
  for (const { location, offset, lengthBytes } of pieces) {
    signal?.throwIfAborted()
    yield* objects.readStream(location, offset, lengthBytes, buffer)
  }
}
