import { parseDumpIndex } from '../../formats/dump/dump-index.ts'
import { METADATA_FILE_BYTES_MAX } from '../limits.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import type { DumpTarget } from './dump-key.ts'

interface Found {
  readonly location: string
  readonly modifiedAtMs: number
}

/**
 * Forgets dumps of older snapshots of one table in one format: the newest few stay, and those that a tag or branch
 * names. Then shards go that no index names. The caller holds the lease of the format.
 */
export async function sweepDumps(
  deps: DumpDependencies,
  {
    folder,
    keepNewest,
    target,
  }: { readonly folder: string; readonly keepNewest: number; readonly target: DumpTarget },
): Promise<void> {
  const indexes: Found[] = []
  const others: Found[] = []
  for await (const found of deps.objects.list(folder)) {
    if (found.location.endsWith('/index.json')) indexes.push(found)
    else others.push(found)
  }
  const refs = Object.values(target.state.refs).map((ref) => String(ref.snapshotId))
  const lasting = new Set([...refs, String(target.snapshot.snapshotId)])
  const newestFirst = indexes.sort((a, b) => b.modifiedAtMs - a.modifiedAtMs)
  const kept = newestFirst.filter(
    ({ location }, rank) => rank < keepNewest || lasting.has(snapshotOf(location)),
  )
  const stale = newestFirst.filter((index) => !kept.includes(index))
  // The index first: without it a dump is not there, whatever becomes of its shards.
  for (const { location } of stale) await deps.objects.delete(location)
  const named = await namedLocations(deps, kept)
  for (const { location } of others) {
    if (!named.has(location)) await deps.objects.delete(location)
  }
}

async function namedLocations(
  deps: DumpDependencies,
  indexes: readonly Found[],
): Promise<ReadonlySet<string>> {
  const named = new Set<string>()
  for (const { location } of indexes) {
    const bytes = await deps.objects.read(location, { bytesMax: METADATA_FILE_BYTES_MAX })
    for (const piece of parseDumpIndex(new TextDecoder().decode(bytes)).pieces) {
      named.add(piece.location)
    }
  }
  return named
}

/** From `.../<snapshot id>/index.json`. */
function snapshotOf(indexLocation: string): string {
  return indexLocation.split('/').at(-2) ?? ''
}
