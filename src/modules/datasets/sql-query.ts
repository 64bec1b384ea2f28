import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import type { SqlQuery } from '../../lake/convert/converter.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { getSnapshot, getTable } from '../../lake/table/table-lookup.ts'
import { planSources, type QuerySource, type RowsDependencies } from '../rows/query-source.ts'
import { queried, type ReadTable } from '../rows/run-query.ts'
import { type AskedReading, schemaAsAsked } from './dataset-identity.ts'

/** What a dataset of SQL keeps as its query: the text, and what each of its tables was. */
export interface SqlQueryOfDataset {
  readonly sql: string
  /** In the order in which the text names them. */
  readonly sources: readonly SqlSource[]
}

export interface SqlSource {
  readonly table: string
  readonly table_id: string
  readonly snapshot_id: string
  readonly schema_id: number
}

export function sqlOf({ query }: Pick<DatasetRecord, 'query'>): SqlQueryOfDataset | undefined {
  const isSql = typeof query === 'object' && query !== null && 'sql' in query
  return isSql ? (query as SqlQueryOfDataset) : undefined
}

/** A text, the snapshots that it reads, and what the engine is asked once their files are held. */
export interface SqlRows {
  readonly reads: readonly QuerySource[]
  readonly planned: readonly AskedReading[]
  asked(held: HeldFiles): Pick<SqlQuery, 'sql' | 'tables'>
}

/** The text over the snapshots that it was asked for. Throws if a table or its snapshot is gone. */
export async function sqlQueryOfDataset(
  deps: RowsDependencies,
  { sql, sources }: SqlQueryOfDataset,
  { signal }: { readonly signal: AbortSignal },
): Promise<SqlRows> {
  const planned: ReadTable[] = []
  for (const { table_id, snapshot_id, schema_id } of sources) {
    const state = await getTable(deps.catalog, table_id)
    const snapshot = await getSnapshot(deps, state, { snapshotIdentifier: snapshot_id })
    const schema = schemaAsAsked(state.definition, schema_id)
    const source: QuerySource = { state, snapshot, schema, restriction: 'unrestricted' }
    const files = await planSources(deps, source, { signal })
    planned.push({ source, files })
  }
  return {
    reads: planned.map(({ source }) => source),
    planned: planned.map((table) => ({ ...table, readAs: table.source.schema })),
    asked: (held) => ({ sql, tables: planned.map((table) => queried(table, held)) }),
  }
}
