import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import type { TableChange } from '../../core/metadata/table-update.ts'
import { invalidUpdate } from '../../core/metadata/update-problem.ts'
import { needsSourceType } from '../../core/partition/transform.ts'
import { allFields } from '../../core/schema/schema-lookup.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableDefinition, TableState } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { forEachLiveEntry } from '../../lake/scan/live-entries.ts'
import { readable } from './snapshots/readable.ts'

const LISTS_AT_ONCE = 8

type CheckDependencies = Stores<'snapshots'> & Pick<LakeServices, 'manifests'>

interface Removed {
  readonly specIds: ReadonlySet<number>
  readonly schemaIds: ReadonlySet<number>
  /** Columns that no schema has any more, and the removed schema that each was in. */
  readonly lost: ReadonlyMap<number, number>
  /** Specs that stay, and the first of those columns that one takes the type of its values from. */
  readonly typedBy: ReadonlyMap<number, number>
  /** Manifests of deletes that were looked through. */
  readonly seen: Set<string>
}

/**
 * Refuses a change that removes schemas or partition specs which a snapshot that stays needs:
 * nobody could read it any more. Snapshots that the same change removes do not count, as Iceberg's
 * expiry removes both at once. Reads the manifest lists only when partition specs are removed, or
 * the last schema that has a column; the manifests of deletes only then.
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
  const lost = lostColumns(before, after)
  const needs = { ...removed, lost, typedBy: specsTypedBy(lost, after), seen: new Set<string>() }
  const gone = new Set(change.removedSnapshotIds)
  for await (const page of deps.catalog.snapshots.read(before.tableUuid)) {
    const kept = page.filter(({ snapshotId }) => !gone.has(snapshotId))
    await requireNoneIn(deps, kept, needs)
  }
  await requireNoneIn(deps, change.newSnapshots, needs)
}

function missing<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  const kept = new Set(after)
  return before.filter((each) => !kept.has(each))
}

async function requireNoneIn(
  deps: CheckDependencies,
  snapshots: readonly Snapshot[],
  removed: Removed,
): Promise<void> {
  const { specIds, schemaIds, lost, typedBy } = removed
  for (const { snapshotId, schemaId } of snapshots) {
    if (schemaIds.has(schemaId)) throw inUse(snapshotId, { schemaId })
  }
  if (specIds.size === 0 && lost.size === 0) return
  await mapBounded(snapshots, LISTS_AT_ONCE, async ({ snapshotId, manifestList }) => {
    const files = await readable(`manifest list ${manifestList} of snapshot ${snapshotId}`, () =>
      deps.manifests.getManifestList(manifestList),
    )
    const used = files.find(({ specId }) => specIds.has(specId))
    if (used !== undefined) throw inUse(snapshotId, { specId: used.specId })
    for (const file of files) {
      const typeId = typedBy.get(file.specId)
      const columnId = typeId ?? (await equalityColumn(deps, file, removed))
      if (columnId === undefined) continue
      throw inUse(snapshotId, { schemaId: lost.get(columnId) ?? 0, columnId })
    }
  })
}

function lostColumns(before: TableDefinition, after: TableDefinition): Map<number, number> {
  const kept = new Set(after.schemas.flatMap((schema) => allFields(schema).map(({ id }) => id)))
  const lost = new Map<number, number>()
  for (const schema of missing(before.schemas, after.schemas)) {
    for (const { id } of allFields(schema)) if (!kept.has(id)) lost.set(id, schema.schemaId)
  }
  return lost
}

/** Values of other transforms have a type of their own. */
function specsTypedBy(
  lost: ReadonlyMap<number, number>,
  { partitionSpecs }: TableDefinition,
): Map<number, number> {
  const typed = partitionSpecs.map(({ specId, fields }): [number, number | undefined] => {
    const field = fields.find(({ sourceId, transform }) => {
      return lost.has(sourceId) && needsSourceType(transform)
    })
    return [specId, field?.sourceId]
  })
  return new Map(typed.filter((each): each is [number, number] => each[1] !== undefined))
}

/** A lost column that an equality delete of the manifest compares. */
async function equalityColumn(
  { manifests }: CheckDependencies,
  file: ManifestFile,
  { lost, seen }: Removed,
): Promise<number | undefined> {
  if (lost.size === 0 || file.content !== 'deletes' || seen.has(file.path)) return undefined
  const manifest = await readable(`manifest ${file.path}`, () => manifests.getManifest(file))
  let found: number | undefined
  await forEachLiveEntry(manifest, new Turns(), (i) => {
    const { equalityIds = [] } = manifest.entry(i).dataFile
    found ??= equalityIds.find((id) => lost.has(id))
  })
  seen.add(file.path)
  return found
}

function inUse(
  snapshotId: bigint,
  used: { readonly specId: number } | { readonly schemaId: number; readonly columnId?: number },
) {
  const what = 'specId' in used ? `partition spec ${used.specId}` : `schema ${used.schemaId}`
  const isLast = 'columnId' in used && used.columnId !== undefined
  const need = isLast ? `needs its column ${used.columnId}, which no other schema has` : 'uses it'
  return invalidUpdate(
    `Cannot remove ${what}: snapshot ${snapshotId} ${need}; remove that snapshot first`,
    { ...used, snapshotId: String(snapshotId) },
  )
}
