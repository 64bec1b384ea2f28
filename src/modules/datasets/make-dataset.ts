import type { Stores } from '../../catalog/catalog.ts'
import type { CreatedDataset, DatasetCard, NewDataset } from '../../catalog/dataset-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { bindQuery, canonicalQuery } from '../../core/query/bind-query.ts'
import type { KeptWithEffect } from '../../core/replay.ts'
import { DATASETS_NAMESPACE, hiddenUuidOf } from '../../core/table/reserved-namespace.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { makeTableFolders } from '../../lake/table/table-location.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import { requestOf } from '../rows/run-query.ts'
import { newClone } from '../tables/clone-table.ts'
import type { NewTableDependencies } from '../tables/tables.ts'
import { factsAhead, factsOf } from './dataset-facts.ts'
import { automaticName, identityOf } from './dataset-identity.ts'
import { TTL_SECONDS_DEFAULT } from './dataset-shapes.ts'
import { type EndDependencies, endDataset, isLiving } from './end-dataset.ts'
import { askForRows, type DatasetQuery } from './query-dataset.ts'

export type MakeDependencies = NewTableDependencies &
  Stores<'datasets' | 'snapshots'> &
  EndDependencies & { readonly jobs: Jobs }

export interface DatasetWish {
  readonly name: string | undefined
  readonly source: string
  readonly selector: SnapshotSelector
  /** `undefined`: all rows. */
  readonly query: DatasetQuery | undefined
  readonly card: DatasetCard
  readonly ttlMs: number
}

/** A dataset that nobody has described: its name tells what it is made of. */
export function undescribed(of: Pick<DatasetWish, 'source' | 'selector' | 'query'>): DatasetWish {
  const card = { title: null, description: null, creators: [], license: null, keywords: [] }
  return { ...of, name: undefined, card, ttlMs: TTL_SECONDS_DEFAULT * 1000 }
}

/**
 * The dataset of a whole snapshot is a hidden clone of it, which has the same files; that of a
 * query is queued, and a job makes its rows.
 */
export async function makeDataset(
  deps: MakeDependencies,
  { name, source: table, selector, query, card, ttlMs }: DatasetWish,
  kept: (called: string) => KeptWithEffect,
): Promise<CreatedDataset> {
  const source = await getTable(deps.catalog, table)
  const snapshot = await getSnapshot(deps, source, selector)
  if (snapshot === undefined) throw noSnapshot(source)
  const schema = schemaOfReading(source, selector, snapshot)
  const { tableUuid: sourceUuid } = source.definition
  const { snapshotId } = snapshot
  const { schemaId } = schema
  const bound = query === undefined ? undefined : bindQuery(requestOf(query), schema)
  const canonical = bound === undefined ? undefined : canonicalQuery(bound)
  const identity = identityOf({ sourceUuid, snapshotId, schemaId, query: canonical })
  const called = name ?? automaticName(identity)
  const tableUuid = hiddenUuidOf(deps.ambient.newUuid())
  const wished = {
    ...{ tableUuid, name: called, identity, sourceUuid, snapshotId, card },
    sourceName: formatTableName(source.namespace, source.name),
    query,
    facts:
      bound === undefined
        ? factsOf(snapshot, schema)
        : factsAhead(bound, { snapshotAtMs: snapshot.timestampMs, schemaId }),
    table:
      bound === undefined
        ? newClone(deps, source, {
            ...{ namespace: DATASETS_NAMESPACE, name: called, tableUuid, found: snapshot },
            currentSchemaId: schemaId,
          })
        : undefined,
  }
  const created = await keep(deps, { ...wished, ttlMs }, kept(called))
  const { state } = created.dataset
  // Again, if whoever asked first was interrupted here.
  if (state === 'queued') await askForRows(deps.jobs, created.dataset)
  else if (created.outcome === 'created') deps.publisher.schedule(tableUuid)
  return created
}

type Wished = Omit<NewDataset, 'createdAtMs' | 'expiresAtMs'> & { readonly ttlMs: number }

/** Ends the one of before that has expired, if need be. */
async function keep(
  deps: MakeDependencies,
  { ttlMs, ...wished }: Wished,
  kept: KeptWithEffect,
): Promise<CreatedDataset> {
  const { name, identity, table } = wished
  for (;;) {
    const nowMs = deps.ambient.nowMs()
    if (table !== undefined && !(await isThere(deps, { name, identity, nowMs }))) {
      await makeTableFolders(deps, table.state.definition)
    }
    const dataset = { ...wished, createdAtMs: nowMs, expiresAtMs: nowMs + ttlMs }
    const created = await deps.catalog.datasets.create(dataset, kept)
    if (created.outcome !== 'expired') return created
    await endDataset(deps, created.dataset, { ifExpiredBy: nowMs })
  }
}

/** A look ahead: most who ask twice leave no empty folder. */
async function isThere(
  { catalog }: Stores<'datasets'>,
  { name, identity, nowMs }: Pick<NewDataset, 'name' | 'identity'> & { readonly nowMs: number },
): Promise<boolean> {
  const found = await catalog.datasets.find({ name, nowMs })
  return found?.identity === identity && isLiving(found, nowMs)
}

function noSnapshot({ namespace, name }: TableState): CatalogError {
  const table = formatTableName(namespace, name)
  return new CatalogError('snapshot-not-found', `${table} has no snapshot yet: add rows first`, {
    facts: { table },
  })
}
