import type { Stores } from '../../catalog/catalog.ts'
import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { mapBounded } from '../../core/bounded.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { planScan } from '../../lake/scan/plan-files.ts'
import { getTable, type LookupDependencies } from '../../lake/table/table-lookup.ts'

export type VerifyDependencies = Stores<'tables' | 'snapshots'> &
  LookupDependencies &
  Pick<LakeServices, 'manifests' | 'objects'>

export interface Verification {
  /** `undefined`: the source has not the snapshot any more, so that nothing can be run again. */
  readonly isReproduced: boolean | undefined
  /** Data files that were looked at, and those among them that are not as they were. */
  readonly files: number
  readonly differing: readonly string[]
}

const SHOWN_MAX = 100
const LOOKS_AT_ONCE = 16

/**
 * Takes the snapshot of the source again: it must have the very data files that the dataset has,
 * with the same delete files, and each must be there with its size.
 */
export async function verifyDataset(
  deps: VerifyDependencies,
  { tableUuid, sourceUuid, snapshotId }: DatasetRecord,
): Promise<Verification> {
  const own = await filesOf(deps, await getTable(deps.catalog, tableUuid), snapshotId)
  const source = await deps.catalog.tables.find({ tableUuid: sourceUuid })
  const again = source && (await filesOf(deps, source, snapshotId))
  const differing: string[] = []
  await mapBounded([...(own ?? [])], LOOKS_AT_ONCE, async ([path, { identity, sizeBytes }]) => {
    const info = await deps.objects.find(path)
    const isSame = again === undefined || again.get(path)?.identity === identity
    if (!isSame || info?.sizeBytes !== sizeBytes) differing.push(path)
  })
  for (const path of again?.keys() ?? []) if (own?.has(path) !== true) differing.push(path)
  const isSame = differing.length === 0
  return {
    isReproduced: again === undefined && isSame ? undefined : isSame,
    files: own?.size ?? 0,
    differing: differing.slice(0, SHOWN_MAX),
  }
}

/** By path; `undefined` if the table has not the snapshot. */
async function filesOf(deps: VerifyDependencies, state: TableState, snapshotId: bigint) {
  const snapshot = await deps.catalog.snapshots.find(state.definition.tableUuid, snapshotId)
  if (snapshot === undefined) return undefined
  const plan = await planScan(deps, state, { snapshot, schema: currentSchema(state.definition) })
  const files = new Map<string, { readonly identity: string; readonly sizeBytes: number }>()
  for (const { dataFile, deleteFiles } of plan.plannedFiles([])) {
    const { path, recordCount, fileSizeBytes: sizeBytes } = dataFile
    const identity = JSON.stringify([recordCount, deleteFiles.map((each) => each.path).sort()])
    files.set(path, { identity, sizeBytes })
  }
  return files
}
