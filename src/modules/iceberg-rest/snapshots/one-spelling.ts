import type { Stores } from '../../../catalog/catalog.ts'
import { mapBounded } from '../../../core/bounded.ts'
import { liveFilesCount, type ManifestFile } from '../../../core/file/data-file.ts'
import { locationKey } from '../../../core/file/location-key.ts'
import { invalidUpdate } from '../../../core/metadata/update-problem.ts'
import { isTurnDue, Turns } from '../../../core/turns.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { someLiveEntry } from '../../../lake/scan/live-entries.ts'
import { readable } from './readable.ts'

const TEXT_LENGTH_SHOWN = 1_000
const MANIFESTS_AT_ONCE = 8

export interface AddingSnapshot {
  readonly tableUuid: string
  /** All that its manifest list names. */
  readonly listed: readonly ManifestFile[]
  /** Data files that its new manifests say are added. */
  readonly added: readonly string[]
}

/**
 * Throws `update-invalid` if a file that a snapshot adds is live in it under another spelling, as
 * `file:/x` is of `file:///x`: every row of it would be read twice. Looks into the manifests only
 * where the table has referenced a file that is added.
 */
export async function requireOneSpelling(
  deps: Stores<'paths'> & Pick<LakeServices, 'manifests'>,
  { tableUuid, listed, added }: AddingSnapshot,
): Promise<void> {
  const turns = new Turns()
  const texts = new Map<string, string>()
  for (const [i, text] of added.entries()) {
    if (isTurnDue(i)) await turns.take()
    const key = locationKey(text)
    const other = texts.get(key)
    if (other !== undefined && other !== text) throw spelledTwice(other, text)
    texts.set(key, text)
  }
  const known = await deps.catalog.paths.findKnown(tableUuid, added)
  if (known.size === 0) return
  const keys = new Set(Array.from(known, locationKey))
  const live = listed.filter((file) => file.content === 'data' && liveFilesCount(file) > 0)
  await mapBounded(live, MANIFESTS_AT_ONCE, async (file) => {
    const manifest = await readable(`manifest ${file.path}`, () => deps.manifests.getManifest(file))
    await someLiveEntry(manifest, turns, (i) => {
      const text = manifest.path(i)
      const key = locationKey(text)
      const other = keys.has(key) ? texts.get(key) : undefined
      if (other !== undefined && other !== text) throw spelledTwice(text, other)
      return false
    })
  })
}

/** The reference implementation compares texts, and so would every reader after it. */
function spelledTwice(one: string, other: string): Error {
  const [left, right] = [one, other].map((text) => text.slice(0, TEXT_LENGTH_SHOWN))
  const detail =
    `Cannot add data file ${right}: it is the same file as ${left}, and its rows would be read ` +
    'twice; leave it out, or delete the other in the same snapshot'
  return invalidUpdate(detail, { path: other, existing: one })
}
