import type { Turns } from '../../core/turns.ts'
import type { DecodedManifest } from '../../formats/manifest/manifest-reader.ts'

/** Between two looks at the clock. */
const ENTRIES_PER_LOOK = 64

/**
 * Calls `visit` for each entry that is added or existing, until it returns true; whether it did.
 */
export async function someLiveEntry(
  manifest: DecodedManifest,
  turns: Turns,
  visit: (i: number) => boolean,
): Promise<boolean> {
  for (let i = 0; i < manifest.entryCount; i++) {
    if (i % ENTRIES_PER_LOOK === 0) await turns.take()
    if (manifest.isLive(i) && visit(i)) return true
  }
  return false
}

/** Calls `visit` for each entry that is added or existing. */
export async function forEachLiveEntry(
  manifest: DecodedManifest,
  turns: Turns,
  visit: (i: number) => void,
): Promise<void> {
  await someLiveEntry(manifest, turns, (i) => {
    visit(i)
    return false
  })
}
