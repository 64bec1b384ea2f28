import { CatalogError } from '../../../core/errors.ts'
import type { TableDefinition } from '../../../core/table/table.ts'
import { CKAN_RESOURCE_PROPERTY, ckanResourceOf } from '../../../core/table-properties.ts'
import type { Connection, SqlTransaction } from '../engine/sql-engine.ts'

/** The table that has the resource of CKAN. */
export async function findTableOfResource(
  connection: Connection,
  resourceId: string,
): Promise<string | undefined> {
  const row = await connection
    .selectFrom('table_resources')
    .select('table_uuid')
    .where('resource_id', '=', resourceId)
    .executeTakeFirst()
  return row?.table_uuid
}

/** Notes which resource a new or changed table is. Throws `resource-taken`. */
export async function takeResource(
  transaction: SqlTransaction,
  { tableUuid, properties }: TableDefinition,
): Promise<void> {
  await freeResource(transaction, tableUuid)
  const resourceId = ckanResourceOf(properties)
  if (resourceId === undefined) return
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto('table_resources')
    .values({ resource_id: resourceId, table_uuid: tableUuid })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows === 1n) return
  const detail = `Another table has ${CKAN_RESOURCE_PROPERTY} ${resourceId}`
  throw new CatalogError('resource-taken', detail, { facts: { resourceId } })
}

export async function freeResource(transaction: SqlTransaction, tableUuid: string): Promise<void> {
  await transaction.deleteFrom('table_resources').where('table_uuid', '=', tableUuid).execute()
}
