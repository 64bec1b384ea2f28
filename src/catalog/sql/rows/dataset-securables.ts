import { type Connection, chunks, type SqlTransaction } from '../engine/sql-engine.ts'
import type { DatasetRow } from '../engine/sql-schema.ts'

/** What a dataset is read by as long as it is not published. */
export interface Securables {
  /** That of its first source. */
  readonly securable: string
  /** Those of all other sources. */
  readonly others: readonly string[]
}

/** A source that is a dataset itself is read by what that one is read by. */
export async function securablesOf(
  transaction: SqlTransaction,
  sourceUuids: readonly string[],
): Promise<Securables> {
  const found = new Map<string, Pick<DatasetRow, 'securable' | 'other_securables'>>()
  for (const some of chunks(sourceUuids)) {
    const rows = await transaction
      .selectFrom('datasets')
      .select(['table_uuid', 'securable', 'other_securables'])
      .where('table_uuid', 'in', some)
      .execute()
    for (const row of rows) found.set(row.table_uuid, row)
  }
  const all = sourceUuids.flatMap((uuid) => {
    const source = found.get(uuid)
    if (source === undefined) return [uuid]
    const isPublished = source.securable === uuid
    return [source.securable, ...(isPublished ? [] : otherSecurablesOf(source))]
  })
  const [securable, ...others] = new Set(all)
  if (securable === undefined) throw new Error('a dataset without a source')
  return { securable, others }
}

export function otherSecurablesOf({
  other_securables: others,
}: Pick<DatasetRow, 'other_securables'>): readonly string[] {
  return others === null ? [] : (JSON.parse(others) as readonly string[])
}

/** Datasets that live, by the tables that they are read by beside their first. */
export function livingOthers(connection: Connection) {
  return connection
    .selectFrom('dataset_sources')
    .innerJoin('datasets', 'datasets.table_uuid', 'dataset_sources.table_uuid')
    .where('datasets.ended_at_ms', 'is', null)
}
