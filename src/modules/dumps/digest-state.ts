import type { LakeServices } from '../../lake/lake.ts'
import { hashPieces } from './dump-digest.ts'
import { ContinuingDigest } from './format/continuing-digest.ts'
import { homeOf } from './format/dump-home.ts'
import type { DumpIndex } from './format/dump-index.ts'

const STATE_BYTES_MAX = 4_096

/** Location, next to the index, of the digest state of a dump whose index has none. */
export function digestStateLocation(indexLocation: string): string {
  return `${homeOf(indexLocation)}digest-state`
}

/**
 * Hashes a finished dump once more, so that the digest of a later dump that begins with it can
 * continue from there. The published digest came from a hasher five times as fast, whose state
 * cannot be saved; no reader waits for this one.
 */
export async function saveDigestState(
  { objects }: Pick<LakeServices, 'objects'>,
  { index, location, signal }: { index: DumpIndex; location: string; signal: AbortSignal },
): Promise<void> {
  const digest = await ContinuingDigest.start()
  await hashPieces(objects, { pieces: index.pieces, digest, signal })
  const bytes = new TextEncoder().encode(digest.save())
  await objects.putIfAbsent(digestStateLocation(location), bytes)
}

/** A digest positioned at the end of the dump; `undefined` if it must be hashed from the start. */
export async function resumeDigest(
  { objects }: Pick<LakeServices, 'objects'>,
  { index, location }: { readonly index: DumpIndex; readonly location: string },
): Promise<ContinuingDigest | undefined> {
  let state = index.digestState
  if (state === undefined) {
    const stateLocation = digestStateLocation(location)
    if ((await objects.find(stateLocation)) === undefined) return undefined
    const bytes = await objects.read(stateLocation, { bytesMax: STATE_BYTES_MAX })
    state = new TextDecoder().decode(bytes)
  }
  const digest = await ContinuingDigest.resume(state)
  return digest?.hex() === index.sha256 ? digest : undefined
}
