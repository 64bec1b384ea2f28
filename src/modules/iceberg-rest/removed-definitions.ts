import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import type { TableChange } from '../../core/metadata/table-update.ts'
import { invalidUpdate } from '../../core/metadata/update-problem.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { readable } from './snapshots/readable.ts'

const LISTS_AT_ONCE = 8

type CheckDependencies = Stores<'snapshots'> & Pick<LakeServices, 'manifests'>

interface Removed {
  readonly specIds: ReadonlySet<number>
  readonly schemaIds: ReadonlySet<number>
}

/**
 * Refuses a change that removes schemas or partition specs which a snapshot that stays needs:
 * nobody could read it any more. Snapshots that the same change removes do not count, as Iceberg's
 * expiry removes both at once. Reads the manifest lists only when partition specs are removed.
 */
export async function requireUnused(
  deps: CheckDependencies,
  base: TableState,
  change: TableChange,
): Promise<void> {
  const [before, after] = [base.definition, change.state.definition]
  // By identity: an id that is given again stands for something else.
  const removed = {
    specIds: new Set(missing(before.partitionSpecs, after.partitionSpecs).map((s) => s.specId)),
    schemaIds: new Set(missing(before.schemas, after.schemas).map((s) => s.schemaId)),
  }
  if (removed.specIds.size === 0 && removed.schemaIds.size === 0) return
  const gone = new Set(change.removedSnapshotIds)
  for await (const page of deps.catalog.snapshots.read(before.tableUuid)) {
    const kept = page.filter(({ snapshotId }) => !gone.has(snapshotId))
    await requireNoneIn(deps, kept, removed)
  }
  await requireNoneIn(deps, change.newSnapshots, removed)
}

function missing<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  const kept = new Set(after)
  return before.filter((each) => !kept.has(each))
}

async function requireNoneIn(
  deps: CheckDependencies,
  snapshots: readonly Snapshot[],
  { specIds, schemaIds }: Removed,
): Promise<void> {
  for (const { snapshotId, schemaId } of snapshots) {
    if (schemaIds.has(schemaId)) throw inUse(snapshotId, { schemaId })
  }
  if (specIds.size === 0) return
  await mapBounded(snapshots, LISTS_AT_ONCE, async ({ snapshotId, manifestList }) => {
    const files = await readable(`manifest list ${manifestList} of snapshot ${snapshotId}`, () =>
      deps.manifests.getManifestList(manifestList),
    )
    const used = files.find(({ specId }) => specIds.has(specId))
    if (used !== undefined) throw inUse(snapshotId, { specId: used.specId })
  })
}

function inUse(
  snapshotId: bigint,
  used: { readonly specId: number } | { readonly schemaId: number },
) {
  const what = 'specId' in used ? `partition spec ${used.specId}` : `schema ${used.schemaId}`
  return invalidUpdate(
    `Cannot remove ${what}: snapshot ${snapshotId} uses it; remove that snapshot first`,
    { ...used, snapshotId: String(snapshotId) },
  )
}
