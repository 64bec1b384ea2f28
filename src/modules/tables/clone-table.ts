import type { Catalog, Stores } from '../../catalog/catalog.ts'
import { nextTimestampMs } from '../../core/table/snapshot-log.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableDefinition, TableState } from '../../core/table/table.ts'
import { parseNewTableName } from '../../core/table/table-name.ts'
import { getSnapshot, getTable, tableNotFound } from '../../lake/table/table-lookup.ts'
import {
  alreadyExists,
  type NewTableDependencies,
  newLocation,
  newState,
  publishedLocation,
} from './tables.ts'

/**
 * A new table over the same files, no bytes copied: it begins with the source's snapshot, manifests
 * and all, and goes its own way from there.
 */
export async function cloneTable(
  deps: NewTableDependencies & Stores<'snapshots'>,
  request: SnapshotSelector & {
    readonly table: string
    readonly name: string
    readonly namespace?: string | undefined
  },
): Promise<TableState> {
  const source = await getTable(deps.catalog, request.table)
  const found = await getSnapshot(deps.catalog, source, request)
  const { namespace, name } = parseNewTableName(request)
  const tableUuid = deps.ambient.newUuid()
  const location = await newLocation(deps, undefined, { namespace, name, tableUuid })
  const isPast = request.asAtMs !== undefined || request.snapshotIdentifier !== undefined
  const definition: TableDefinition = {
    ...source.definition,
    tableUuid,
    location,
    currentSchemaId:
      isPast && found !== undefined ? found.schemaId : source.definition.currentSchemaId,
  }
  const born = newState(deps, { namespace, name, definition })
  const snapshot = found === undefined ? undefined : { ...found, parentSnapshotId: null }
  const state = {
    ...born,
    lastUpdatedMs:
      snapshot === undefined
        ? born.lastUpdatedMs
        : nextTimestampMs(born.lastUpdatedMs, snapshot.timestampMs),
    currentSnapshot: snapshot,
    // Numbers of the files it begins with go up to this one.
    lastSequenceNumber: snapshot?.sequenceNumber ?? 0n,
  }
  const outcome = await deps.catalog.tables.create({
    state,
    snapshots: snapshot === undefined ? [] : [snapshot],
    snapshotLog:
      snapshot === undefined
        ? []
        : [{ timestampMs: state.lastUpdatedMs, snapshotId: snapshot.snapshotId }],
    addedPaths: [],
    copyPathsFromTableUuid: source.definition.tableUuid,
  })
  if (outcome !== 'created') throw alreadyExists(state, outcome)
  await requireSource(deps.catalog, source, state)
  const metadataLocation = await publishedLocation(deps, state)
  return { ...state, metadataLocation }
}

/** Had the source been dropped meanwhile, a purge could not know of the clone's files. */
async function requireSource(
  catalog: Pick<Catalog, 'tables'>,
  source: TableState,
  clone: TableState,
): Promise<void> {
  const { tableUuid } = source.definition
  if ((await catalog.tables.find({ tableUuid })) !== undefined) return
  await takeBack(catalog, clone.definition.tableUuid)
  throw tableNotFound({ tableUuid })
}

/** Whatever has been done to it since. */
async function takeBack({ tables }: Pick<Catalog, 'tables'>, tableUuid: string): Promise<void> {
  for (;;) {
    const clone = await tables.find({ tableUuid })
    if (clone === undefined) return
    const expected = { tableUuid, expectedVersion: clone.version }
    if ((await tables.drop(expected)) !== 'version-mismatch') return
  }
}
