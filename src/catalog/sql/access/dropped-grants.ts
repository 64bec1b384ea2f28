import { droppedSecurable } from '../../grant-store.ts'
import { chunks, type SqlTransaction } from '../engine/sql-engine.ts'
import { livingOthers } from '../rows/dataset-securables.ts'
import { findPlace } from './sql-places.ts'

/**
 * Keeps who had which privileges on a table that is being dropped, and on the namespaces above it,
 * if datasets that are read by them live: these outlive their source, with its readers.
 */
export async function keepReaders(
  transaction: SqlTransaction,
  { tableUuid, namespace }: { readonly tableUuid: string; readonly namespace: readonly string[] },
): Promise<void> {
  const securable = droppedSecurable(tableUuid)
  // It may have been dropped before, and have come back.
  await transaction.deleteFrom('grants').where('securable', '=', securable).execute()
  if (!(await hasDatasets(transaction, tableUuid))) return
  const place = await findPlace(transaction, { kind: 'namespace', levels: namespace })
  const grants = await transaction
    .selectFrom('grants')
    .select(['principal', 'privilege'])
    .distinct()
    .where('securable', 'in', [tableUuid, ...(place?.namespaceUuids ?? [])])
    .where('privilege', '!=', 'create')
    .execute()
  for (const some of chunks(grants)) {
    const rows = some.map((grant) => ({ ...grant, securable, orphaned_at_ms: null }))
    await transaction.insertInto('grants').values(rows).execute()
  }
}

/** Whether datasets that are read by the table live. */
async function hasDatasets(transaction: SqlTransaction, tableUuid: string): Promise<boolean> {
  const first = await transaction
    .selectFrom('datasets')
    .select('name')
    .where('securable', '=', tableUuid)
    .where('ended_at_ms', 'is', null)
    .limit(1)
    .executeTakeFirst()
  if (first !== undefined) return true
  const other = await livingOthers(transaction)
    .select('datasets.name')
    .where('dataset_sources.securable', '=', tableUuid)
    .limit(1)
    .executeTakeFirst()
  return other !== undefined
}
