import type { Stores } from '../../catalog/catalog.ts'
import type { CreatedDataset, DatasetCard, DatasetFacts } from '../../catalog/dataset-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { KeptWithEffect } from '../../core/replay.ts'
import { describeColumns } from '../../core/schema/column-definition.ts'
import { DATASETS_NAMESPACE, hiddenUuidOf } from '../../core/table/reserved-namespace.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { Schema } from '../../core/value/type.ts'
import { makeTableFolders } from '../../lake/table/table-location.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import { newClone } from '../tables/clone-table.ts'
import type { NewTableDependencies } from '../tables/tables.ts'
import { automaticName, identityOf } from './dataset-identity.ts'
import { type EndDependencies, endDataset, isLiving } from './end-dataset.ts'

export type MakeDependencies = NewTableDependencies &
  Stores<'datasets' | 'snapshots'> &
  EndDependencies

export interface DatasetWish {
  readonly name: string | undefined
  readonly source: string
  readonly selector: SnapshotSelector
  readonly card: DatasetCard
  readonly ttlMs: number
}

/** The dataset of a whole snapshot: a hidden clone of it, which has the same files. */
export async function makeDataset(
  deps: MakeDependencies,
  { name, source: table, selector, card, ttlMs }: DatasetWish,
  kept: (called: string) => KeptWithEffect,
): Promise<CreatedDataset> {
  const source = await getTable(deps.catalog, table)
  const snapshot = await getSnapshot(deps, source, selector)
  if (snapshot === undefined) throw noSnapshot(source)
  const schema = schemaOfReading(source, selector, snapshot)
  const { tableUuid: sourceUuid } = source.definition
  const { snapshotId } = snapshot
  const origin = { sourceUuid, snapshotId, schemaId: schema.schemaId, query: undefined }
  const identity = identityOf(origin)
  const called = name ?? automaticName(identity)
  const tableUuid = hiddenUuidOf(deps.ambient.newUuid())
  const hidden = newClone(deps, source, {
    ...{ namespace: DATASETS_NAMESPACE, name: called, tableUuid, found: snapshot },
    currentSchemaId: schema.schemaId,
  })
  const wished = {
    ...{ tableUuid, name: called, identity, sourceUuid, snapshotId, card },
    sourceName: formatTableName(source.namespace, source.name),
    query: undefined,
    facts: factsOf(snapshot, schema),
    jobId: undefined,
    table: hidden,
  }
  for (;;) {
    const nowMs = deps.ambient.nowMs()
    const known = await findLiving(deps, called, identity, nowMs)
    if (known === undefined) await makeTableFolders(deps, hidden.state.definition)
    const expiresAtMs = nowMs + ttlMs
    const created = await deps.catalog.datasets.create(
      { ...wished, createdAtMs: nowMs, expiresAtMs },
      kept(called),
    )
    if (created.outcome === 'created') deps.publisher.schedule(tableUuid)
    if (created.outcome !== 'expired') return created
    await endDataset(deps, created.dataset, { ifExpiredBy: nowMs })
  }
}

/** A look ahead: most who ask twice leave no empty folder. */
async function findLiving(
  { catalog }: Stores<'datasets'>,
  name: string,
  identity: string,
  nowMs: number,
) {
  const found = await catalog.datasets.find({ name, nowMs })
  return found?.identity === identity && isLiving(found, nowMs) ? found : undefined
}

function noSnapshot({ namespace, name }: TableState): CatalogError {
  const table = formatTableName(namespace, name)
  return new CatalogError('snapshot-not-found', `${table} has no snapshot yet: add rows first`, {
    facts: { table },
  })
}

/** Rows are unknown where delete files may remove some. */
export function factsOf({ summary, timestampMs }: Snapshot, schema: Schema): DatasetFacts {
  const numberOf = (key: string) => {
    const value = Number(summary[key] ?? Number.NaN)
    return Number.isSafeInteger(value) ? value : null
  }
  const hasDeletes = numberOf('total-delete-files') !== 0
  return {
    rows: hasDeletes ? null : numberOf('total-records'),
    files: numberOf('total-data-files'),
    bytes: numberOf('total-files-size'),
    snapshotAtMs: timestampMs,
    columns: describeColumns(schema).map(({ name, type, nullable, description }) => {
      return { name, type, nullable, description }
    }),
  }
}
