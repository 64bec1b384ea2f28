import { formatTableName } from '../../../core/table/table-name.ts'
import { type TablePolicy, toldPolicy } from '../../../core/table/table-policy.ts'
import type { RequiredRoles } from '../../grant-store.ts'
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
} from '../engine/sql-engine.ts'
import type { RaisedEvent, RaisedEvents, Raising } from '../mutation/sql-raised-events.ts'
import { mutate } from '../mutation/sql-replays.ts'
import { livingOthers } from '../rows/dataset-securables.ts'
import { missingRoles } from './required-roles.ts'
import { findPlaces } from './sql-places.ts'

/** Policies that are forgotten in one transaction. */
const FORGOTTEN_AT_ONCE = 500

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

  change(
    change: PolicyChange & RequiredRoles,
    options: MutationOptions = {},
  ): Promise<'changed' | 'not-found' | 'role-gone'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      changePolicy(transaction, change, raised),
    )
  }

  bringBack(kept: KeptPolicy): Promise<'brought-back' | 'already-there'> {
    return mutate(this.#engine, {}, (transaction, raised) => bringBack(transaction, kept, raised))
  }

  /** In rounds, each of which raises its events. */
  async forgetOrphans(query: {
    readonly nowMs: number
    readonly beforeMs: number
  }): Promise<number> {
    for (let forgotten = 0; ; ) {
      const count = await mutate(this.#engine, {}, (transaction, raised) =>
        forgetOrphans(transaction, query, raised),
      )
      forgotten += count
      if (count < FORGOTTEN_AT_ONCE) return forgotten
    }
  }
}

async function bringBack(
  transaction: SqlTransaction,
  { tableUuid, policy }: KeptPolicy,
  raised: RaisedEvents,
): Promise<'brought-back' | 'already-there'> {
  const inserted = await transaction
    .insertInto('table_policies')
    .values({ table_uuid: tableUuid, policy: JSON.stringify(policy), orphaned_at_ms: null })
    .onConflict((conflict) => conflict.doNothing())
    .returning('table_uuid')
    .executeTakeFirst()
  if (inserted === undefined) return 'already-there'
  raised.raise(policyChanged({ tableUuid, name: '', policy, before: undefined }))
  return 'brought-back'
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

/**
 * A copy of a table is withheld from whom the table is: its columns have the same ids. Of several
 * policies it takes over the rules of one, and whom all except.
 */
export async function copyPolicy(
  transaction: SqlTransaction,
  { state, copyPathsFromTableUuid: from, copiesPolicy, policiesOf }: NewTable,
  raised: Raising,
): Promise<void> {
  if (from === undefined || copiesPolicy === undefined) return
  const { namespace, name, definition } = state
  const { tableUuid } = definition
  const rows = await selectPolicies(transaction)
    .where('table_uuid', 'in', policiesOf ?? [from])
    .orderBy('table_uuid')
    .execute()
  const [kept, ...others] = rows.map((row) => policyOf(row).policy)
  if (kept === undefined) return
  const { names: namesThere, ...first } = kept
  const rules = others.reduce(strictestOf, first)
  const isBound = copiesPolicy === 'bound' && namesThere?.tableUuid === from
  const names = isBound ? { ...namesThere, tableUuid } : namesThere
  const policy = names === undefined ? rules : { ...rules, names }
  const given = { tableUuid, name: formatTableName(namespace, name), policy }
  const before = await replacePolicy(transaction, given)
  raised.raise(policyChanged({ ...given, before }))
}

function strictestOf(rules: TablePolicy, other: TablePolicy): TablePolicy {
  const { except, trustedEngines = [] } = rules
  const isInBoth = (principal: string) => other.except.includes(principal)
  const isTrusted = (principal: string) => other.trustedEngines?.includes(principal) === true
  return {
    ...rules,
    except: except.filter(isInBoth),
    trustedEngines: trustedEngines.filter(isTrusted),
  }
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
  { tableUuid, name, policy, roles = [] }: PolicyChange & RequiredRoles,
  raised: RaisedEvents,
): Promise<'changed'> {
  const [place] = await findPlaces(transaction, [tableUuid])
  if (place?.kind !== 'table') throw new Refusal('not-found')
  if ((await missingRoles(transaction, roles)).length > 0) throw new Refusal('role-gone')
  const before = await replacePolicy(transaction, { tableUuid, policy })
  raised.raise(policyChanged({ tableUuid, name, policy, before }))
  return 'changed'
}

/**
 * Takes the name of somebody who is gone out of all policies: whoever is called so later is neither
 * excepted nor trusted.
 */
export async function forgetInPolicies(
  transaction: SqlTransaction,
  principal: string,
  raised: RaisedEvents,
): Promise<void> {
  // Changes nothing, but who sets one of them at the same time waits, and is then not seen here.
  const rows = await transaction
    .updateTable('table_policies')
    .set((column) => ({ table_uuid: column.ref('table_uuid') }))
    .where('policy', 'like', `%${JSON.stringify(principal)}%`)
    .returning(['table_uuid', 'policy'])
    .execute()
  const changes = rows.map(policyOf).flatMap(({ tableUuid, policy: before }) => {
    const policy = withoutPrincipal(before, principal)
    return policy === undefined ? [] : [{ tableUuid, policy, before }]
  })
  const uuids = changes.map(({ tableUuid }) => tableUuid)
  const places = await findPlaces(transaction, uuids)
  const names = new Map(places.map(({ uuid, levels, name }) => [uuid, [levels, name] as const]))
  for (const change of changes) {
    await transaction
      .updateTable('table_policies')
      .set({ policy: JSON.stringify(change.policy) })
      .where('table_uuid', '=', change.tableUuid)
      .execute()
    const named = names.get(change.tableUuid)
    const name = named === undefined ? '' : formatTableName(...named)
    raised.raise(policyChanged({ ...change, name }))
  }
}

/** `undefined` where it neither excepts nor trusts the principal. */
function withoutPrincipal(policy: TablePolicy, principal: string): TablePolicy | undefined {
  const { except, trustedEngines = [] } = policy
  if (![...except, ...trustedEngines].includes(principal)) return undefined
  const others = (names: readonly string[]) => names.filter((name) => name !== principal)
  return {
    ...policy,
    except: others(except),
    ...(policy.trustedEngines && { trustedEngines: others(trustedEngines) }),
  }
}

/** Returns the one that was there. */
async function replacePolicy(
  transaction: SqlTransaction,
  { tableUuid, policy }: Pick<PolicyChange, 'tableUuid' | 'policy'>,
): Promise<TablePolicy | undefined> {
  const deleted = await transaction
    .deleteFrom('table_policies')
    .where('table_uuid', '=', tableUuid)
    .returning(['table_uuid', 'policy'])
    .executeTakeFirst()
  if (policy !== undefined) {
    await transaction
      .insertInto('table_policies')
      .values({ table_uuid: tableUuid, policy: JSON.stringify(policy), orphaned_at_ms: null })
      .execute()
  }
  return deleted && policyOf(deleted).policy
}

function policyChanged({
  tableUuid,
  name,
  policy,
  before,
}: PolicyChange & { readonly before: TablePolicy | undefined }): RaisedEvent {
  const data = {
    granted: [],
    revoked: [],
    has_policy: policy !== undefined,
    policy: told(policy),
    before: { policy: told(before) },
  }
  return { type: 'moraine.permissions.changed.v1', subject: tableUuid, name, version: 0, data }
}

function told(policy: TablePolicy | undefined) {
  return policy === undefined ? null : toldPolicy(policy)
}

async function forgetOrphans(
  transaction: SqlTransaction,
  { nowMs, beforeMs }: { readonly nowMs: number; readonly beforeMs: number },
  raised: RaisedEvents,
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
  const before = BigInt(Math.ceil(beforeMs))
  const deleted = await transaction
    .deleteFrom('table_policies')
    .where('table_uuid', 'in', (of) =>
      of
        .selectFrom('table_policies as old')
        .select('old.table_uuid')
        .where('old.orphaned_at_ms', '<', before)
        .orderBy('old.table_uuid')
        .limit(FORGOTTEN_AT_ONCE),
    )
    .where('orphaned_at_ms', '<', before)
    .returning(['table_uuid', 'policy'])
    .execute()
  for (const { tableUuid, policy } of deleted.map(policyOf)) {
    raised.raise(policyChanged({ tableUuid, name: '', policy: undefined, before: policy }))
  }
  return deleted.length
}
