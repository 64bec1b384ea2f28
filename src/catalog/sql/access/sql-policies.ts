import { formatTableName } from '../../../core/table/table-name.ts'
import type { TablePolicy } from '../../../core/table/table-policy.ts'
import type { KeptPolicy, PolicyChange, PolicyStore } from '../../policy-store.ts'
import type { MutationOptions } from '../../replay-store.ts'
import type { NewTable } from '../../table-store.ts'
import {
  type Connection,
  chunks,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
  write,
} from '../engine/sql-engine.ts'
import type { RaisedEvent, RaisedEvents, Raising } from '../mutation/sql-raised-events.ts'
import { mutate } from '../mutation/sql-replays.ts'
import { livingOthers } from '../rows/dataset-securables.ts'
import { findPlaces } from './sql-places.ts'

export class SqlPolicies implements PolicyStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async listAll(): Promise<readonly KeptPolicy[]> {
    const rows = await read(this.#engine, (connection) => selectPolicies(connection).execute())
    return rows.map(policyOf)
  }

  async listOn(tableUuids: readonly string[]): Promise<readonly KeptPolicy[]> {
    const policies: KeptPolicy[] = []
    for (const some of chunks(tableUuids)) {
      const rows = await read(this.#engine, (connection) =>
        selectPolicies(connection).where('table_uuid', 'in', some).execute(),
      )
      policies.push(...rows.map(policyOf))
    }
    return policies
  }

  change(change: PolicyChange, options: MutationOptions = {}): Promise<'changed' | 'not-found'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      changePolicy(transaction, change, raised),
    )
  }

  forgetOrphans(query: { readonly nowMs: number; readonly beforeMs: number }): Promise<number> {
    return write(this.#engine, (transaction) => forgetOrphans(transaction, query))
  }
}

/** What replaces a table takes over its policy. */
export async function movePolicy(
  transaction: SqlTransaction,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const policies = await selectPolicies(transaction).where('table_uuid', '=', from).execute()
  if (policies.length === 0) return
  await transaction.deleteFrom('table_policies').where('table_uuid', '=', to).execute()
  // The old table keeps it: its files are still named by path.
  await transaction
    .insertInto('table_policies')
    .values(policies.map(({ policy }) => ({ table_uuid: to, policy, orphaned_at_ms: null })))
    .execute()
}

/** A copy of a table is withheld from whom the table is: its columns have the same ids. */
export async function copyPolicy(
  transaction: SqlTransaction,
  { state, copyPathsFromTableUuid: from, copiesPolicy }: NewTable,
  raised: Raising,
): Promise<void> {
  if (from === undefined || copiesPolicy === undefined) return
  const { namespace, name, definition } = state
  const { tableUuid } = definition
  const kept = await selectPolicies(transaction).where('table_uuid', '=', from).executeTakeFirst()
  if (kept === undefined) return
  const { names: namesThere, ...rules } = policyOf(kept).policy
  const isBound = copiesPolicy === 'bound' && namesThere?.tableUuid === from
  const names = isBound ? { ...namesThere, tableUuid } : namesThere
  const policy = names === undefined ? rules : { ...rules, names }
  const given = { tableUuid, name: formatTableName(namespace, name), policy }
  await replacePolicy(transaction, given)
  raised.raise(policyChanged(given))
}

function selectPolicies(connection: Connection) {
  return connection.selectFrom('table_policies').select(['table_uuid', 'policy'])
}

function policyOf(row: { readonly table_uuid: string; readonly policy: string }): KeptPolicy {
  return { tableUuid: row.table_uuid, policy: JSON.parse(row.policy) as TablePolicy }
}

/** Throws `Refusal`. */
async function changePolicy(
  transaction: SqlTransaction,
  { tableUuid, name, policy }: PolicyChange,
  raised: RaisedEvents,
): Promise<'changed'> {
  const [place] = await findPlaces(transaction, [tableUuid])
  if (place?.kind !== 'table') throw new Refusal('not-found')
  await replacePolicy(transaction, { tableUuid, policy })
  raised.raise(policyChanged({ tableUuid, name, policy }))
  return 'changed'
}

async function replacePolicy(
  transaction: SqlTransaction,
  { tableUuid, policy }: Pick<PolicyChange, 'tableUuid' | 'policy'>,
): Promise<void> {
  await transaction.deleteFrom('table_policies').where('table_uuid', '=', tableUuid).execute()
  if (policy !== undefined) {
    await transaction
      .insertInto('table_policies')
      .values({ table_uuid: tableUuid, policy: JSON.stringify(policy), orphaned_at_ms: null })
      .execute()
  }
}

function policyChanged({ tableUuid, name, policy }: PolicyChange): RaisedEvent {
  const data = { granted: [], revoked: [], has_policy: policy !== undefined }
  return { type: 'moraine.permissions.changed.v1', subject: tableUuid, name, version: 0, data }
}

async function forgetOrphans(
  transaction: SqlTransaction,
  { nowMs, beforeMs }: { readonly nowMs: number; readonly beforeMs: number },
): Promise<number> {
  // Datasets of a dropped table are restricted as it was.
  const living = transaction
    .selectFrom('tables')
    .select('table_uuid')
    .unionAll(
      transaction
        .selectFrom('datasets')
        .select('securable as table_uuid')
        .where('ended_at_ms', 'is', null),
    )
    .unionAll(livingOthers(transaction).select('dataset_sources.securable as table_uuid'))
  await transaction
    .updateTable('table_policies')
    .set({ orphaned_at_ms: null })
    .where('orphaned_at_ms', 'is not', null)
    .where('table_uuid', 'in', living)
    .execute()
  await transaction
    .updateTable('table_policies')
    .set({ orphaned_at_ms: BigInt(Math.ceil(nowMs)) })
    .where('orphaned_at_ms', 'is', null)
    .where('table_uuid', 'not in', living)
    .execute()
  const deleted = await transaction
    .deleteFrom('table_policies')
    .where('orphaned_at_ms', '<', BigInt(Math.ceil(beforeMs)))
    .executeTakeFirst()
  return Number(deleted.numDeletedRows)
}
