import { nameKey } from '../../core/table/name-key.ts'
import type { SqlTransaction } from './engine/sql-engine.ts'
import { namespaceKey } from './rows/sql-keys.ts'

export interface NameClaim {
  readonly namespace: readonly string[]
  readonly name: string
  readonly kind: 'table' | 'view'
  readonly uuid: string
}

/**
 * Takes the name, gives up any other that the owner had, and returns `claimed`; or the kind of who
 * has it, and then the transaction must be rolled back.
 */
export async function claimName(
  transaction: SqlTransaction,
  { namespace, name, kind, uuid }: NameClaim,
): Promise<'claimed' | 'table' | 'view'> {
  const key = { namespace_key: namespaceKey(namespace), name_key: nameKey(name) }
  const holder = await transaction
    .insertInto('names')
    .values({ ...key, kind, uuid })
    // Changes nothing, so that one statement returns whose the name is, whoever comes at the same
    // time.
    .onConflict((conflict) =>
      conflict
        .columns(['namespace_key', 'name_key'])
        .doUpdateSet((column) => ({ uuid: column.ref('names.uuid') })),
    )
    .returning(['kind', 'uuid'])
    .executeTakeFirstOrThrow()
  if (holder.kind !== kind || holder.uuid !== uuid) return holder.kind
  await namesOf(transaction, { kind, uuid })
    .where((where) => where.not(where.and(key)))
    .execute()
  return 'claimed'
}

export async function releaseName(
  transaction: SqlTransaction,
  owner: Pick<NameClaim, 'kind' | 'uuid'>,
): Promise<void> {
  await namesOf(transaction, owner).execute()
}

function namesOf(transaction: SqlTransaction, { kind, uuid }: Pick<NameClaim, 'kind' | 'uuid'>) {
  return transaction.deleteFrom('names').where('uuid', '=', uuid).where('kind', '=', kind)
}
