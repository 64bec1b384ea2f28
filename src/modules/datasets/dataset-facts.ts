import type { DatasetFacts } from '../../catalog/dataset-store.ts'
import type { BoundQuery } from '../../core/query/bound-query.ts'
import { describeColumns } from '../../core/schema/column-definition.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { Schema } from '../../core/value/type.ts'

/** Rows are unknown where delete files may remove some. */
export function factsOf(
  { summary, timestampMs }: Pick<Snapshot, 'summary' | 'timestampMs'>,
  schema: Schema,
): DatasetFacts {
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
    schemaId: schema.schemaId,
    columns: describeColumns(schema).map(({ name, type, nullable, description }) => {
      return { name, type, nullable, description }
    }),
  }
}

/** What is known of a dataset before its rows are there. */
export function factsAhead(
  { result }: BoundQuery,
  { snapshotAtMs, schemaId }: Pick<DatasetFacts, 'snapshotAtMs' | 'schemaId'>,
): DatasetFacts {
  const { columns } = factsOf({ summary: {}, timestampMs: snapshotAtMs }, result)
  return { rows: null, files: null, bytes: null, snapshotAtMs, schemaId, columns }
}
