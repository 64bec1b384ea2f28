import { CatalogError } from '../../../core/errors.ts'
import { lockUuid, type SqlEngine, type SqlTransaction } from '../engine/sql-engine.ts'

/**
 * Throws `request-invalid` if the UUID of a new table or view, whose row is there already, is that
 * of something else: grants, folders and last versions are kept by UUID alone. Several who come
 * with the same UUID at once take turns.
 */
export async function requireOwnUuid(
  transaction: SqlTransaction,
  { kind, uuid }: { readonly kind: 'table' | 'view'; readonly uuid: string },
  engine: SqlEngine,
): Promise<void> {
  await lockUuid(engine, transaction, uuid)
  const namespaces = transaction
    .selectFrom('namespaces')
    .select('namespace_uuid as uuid')
    .where('namespace_uuid', '=', uuid)
  const others =
    kind === 'table'
      ? transaction.selectFrom('views').select('view_uuid as uuid').where('view_uuid', '=', uuid)
      : transaction
          .selectFrom('tables')
          .select('table_uuid as uuid')
          .where('table_uuid', '=', uuid)
          // A dropped table keeps its folders, a dropped view has none.
          .unionAll(
            transaction
              .selectFrom('table_locations')
              .select('table_uuid as uuid')
              .where('table_uuid', '=', uuid),
          )
  const found = await namespaces.unionAll(others).executeTakeFirst()
  if (found === undefined) return
  throw new CatalogError(
    'request-invalid',
    `the UUID ${uuid} is that of something else, which is no ${kind}: choose another UUID`,
    { facts: { uuid } },
  )
}
