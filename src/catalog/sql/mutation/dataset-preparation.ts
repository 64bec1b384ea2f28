import {
  type DatasetFacts,
  type DatasetPreparation,
  type DatasetRecord,
  isUnfinished,
} from '../../dataset-store.ts'
import type { SqlTransaction } from '../engine/sql-engine.ts'
import type { DatasetRow } from '../engine/sql-schema.ts'
import { recordOf } from '../rows/dataset-rows.ts'
import { encodeExact } from '../rows/tagged-json.ts'

/** Nothing is added to what is ready, or will never be. */
export async function prepareDataset(
  transaction: SqlTransaction,
  { tableUuid, add = [], remove = [] }: DatasetPreparation,
): Promise<DatasetRecord | undefined> {
  const row = await lockDataset(transaction, tableUuid)
  if (row === undefined) return undefined
  const dataset = recordOf(row)
  if (!isUnfinished(dataset)) return dataset
  const { preparing = [], ...facts } = dataset.facts
  const left = [...new Set([...preparing, ...add])].filter((each) => !remove.includes(each))
  const changed = { ...facts, ...(left.length > 0 && { preparing: left }) }
  await transaction
    .updateTable('datasets')
    .set({ facts: encodeExact(changed) })
    .where('table_uuid', '=', tableUuid)
    .execute()
  return { ...dataset, facts: changed }
}

/** The facts of a dataset whose rows are made, with the formats that are still to be made. */
export async function keepPreparing(
  transaction: SqlTransaction,
  { tableUuid, facts }: { readonly tableUuid: string; readonly facts: DatasetFacts },
): Promise<DatasetFacts> {
  const row = await lockDataset(transaction, tableUuid)
  const preparing = row && recordOf(row).facts.preparing
  return { ...facts, ...(preparing !== undefined && { preparing }) }
}

/** Who changes it at the same time waits for the row. */
function lockDataset(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<DatasetRow | undefined> {
  return transaction
    .updateTable('datasets')
    .set((column) => ({ version: column.ref('version') }))
    .where('table_uuid', '=', tableUuid)
    .returningAll()
    .executeTakeFirst()
}
