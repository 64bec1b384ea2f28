import type { CreatedDataset } from '../../catalog/dataset-store.ts'
import { hiddenUuidOf } from '../../core/table/reserved-namespace.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { QuerySource } from '../rows/query-source.ts'
import type { PreparedSql } from '../rows/run-query.ts'
import { identityOfSql, readingDigestsOf } from './dataset-identity.ts'
import {
  type DatasetWish,
  type KeptOf,
  type MakeDependencies,
  makeQueued,
  noSnapshot,
  unnamed,
} from './make-dataset.ts'
import type { SqlQueryOfDataset, SqlSource } from './sql-query.ts'

export type SqlWish = Pick<
  DatasetWish,
  'name' | 'asker' | 'card' | 'ttlMs' | 'asked' | 'formats'
> & {
  readonly sql: PreparedSql
}

/** The dataset of a text over pinned snapshots is queued, and a job makes its rows. */
export async function makeSqlDataset(
  deps: MakeDependencies,
  { name: given, asker, card, ttlMs, asked, formats = [], sql: prepared }: SqlWish,
  kept: KeptOf,
): Promise<CreatedDataset> {
  const read = prepared.tables.map(({ source }) => source)
  const sources = read.map(pinned)
  const [first, ...others] = sources
  if (first === undefined) throw new Error('a text names a table')
  const identity = identityOfSql(prepared.canonical, read)
  const name = given ?? (await unnamed(deps, identity, asker))
  const query: SqlQueryOfDataset = { sql: prepared.sql, sources: sources.map(({ json }) => json) }
  const { snapshotId, snapshotAtMs, schemaId, sourceUuid } = first
  const whole = read.map((source) => ({ source, readAs: source.schema }))
  const none = { rows: null, files: null, bytes: null, columns: [] }
  const wished = {
    ...{ tableUuid: hiddenUuidOf(deps.ambient.newUuid()), name, identity, card, query },
    ...{ sourceUuid, snapshotId, sourceName: first.json.table },
    otherSources: others.map((each) => each.sourceUuid),
    facts: { ...none, snapshotAtMs, schemaId, ...readingDigestsOf(whole) },
  }
  const isNamed = given !== undefined
  const more = { ttlMs, asked, asker, isNamed, formats }
  return await makeQueued(deps, { ...wished, ...more }, kept)
}

/** Throws `snapshot-not-found` for a table that has none yet. */
function pinned({ state, snapshot, schema: { schemaId } }: QuerySource) {
  if (snapshot === undefined) throw noSnapshot(state)
  const { tableUuid: sourceUuid } = state.definition
  const { snapshotId, timestampMs: snapshotAtMs } = snapshot
  const json: SqlSource = {
    table: formatTableName(state.namespace, state.name),
    table_id: sourceUuid,
    snapshot_id: String(snapshotId),
    schema_id: schemaId,
  }
  return { sourceUuid, snapshotId, snapshotAtMs, schemaId, json }
}
