import { createHash } from 'node:crypto'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { DumpPiece } from './format/dump-index.ts'

const BUFFER_BYTES = 512 * 1024

/** SHA-256 of the pieces, in hexadecimal. */
export async function sha256OfPieces(
  objects: ObjectStore,
  pieces: readonly DumpPiece[],
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  await hashPieces(objects, { pieces, digest: hash, signal })
  return hash.digest('hex')
}

export async function hashPieces(
  objects: ObjectStore,
  {
    pieces,
    digest,
    signal,
  }: {
    readonly pieces: readonly DumpPiece[]
    readonly digest: { update(chunk: Uint8Array): unknown }
    readonly signal: AbortSignal
  },
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  for await (const chunk of readPieces(objects, pieces, signal, buffer)) {
    signal.throwIfAborted()
    digest.update(chunk)
  }
}

/** The bytes of the pieces in order, read as they are pulled; into `buffer` if one is given. */
export async function* readPieces(
  objects: ObjectStore,
  pieces: readonly Pick<DumpPiece, 'location' | 'offset' | 'lengthBytes'>[],
  signal?: AbortSignal,
  buffer?: Uint8Array,
): AsyncIterable<Uint8Array> {
  for (const { location, offset, lengthBytes } of pieces) {
    signal?.throwIfAborted()
    yield* objects.readStream(location, offset, lengthBytes, { buffer })
  }
}
