import { sql } from 'kysely'
import type { Privilege } from '../../../core/access/privilege.ts'
import {
  type Administrators,
  CATALOG_SECURABLE,
  droppedSecurable,
  exportSecurable,
  type Grant,
  type GrantChange,
  type GrantStore,
  isPlaceSecurable,
  type Place,
  type PlaceKey,
  type Role,
  type RoleChange,
} from '../../grant-store.ts'
import type { MutationOptions } from '../../replay-store.ts'
import {
  type Connection,
  chunks,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
} from '../engine/sql-engine.ts'
import type { RaisedEvent, RaisedEvents } from '../mutation/sql-raised-events.ts'
import { mutate } from '../mutation/sql-replays.ts'
import { livingOthers } from '../rows/dataset-securables.ts'
import { keepingAdmin } from './admins.ts'
import { missingRoles } from './required-roles.ts'
import { findPlace, findPlaces } from './sql-places.ts'
import { changeRole, dropRole, listRoles } from './sql-roles.ts'

/** Things whose privileges are forgotten in one transaction. */
const FORGOTTEN_AT_ONCE = 500
/** Principals of one event: with all privileges and the longest names it has some 100 kB. */
const TOLD_TOGETHER = 10

type Bestowed = Record<'principal' | 'privilege', string>

interface Forgotten {
  readonly things: number
  readonly grants: number
}

export class SqlGrants implements GrantStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  listAll(): Promise<readonly Grant[]> {
    return this.#list((connection) => selectGrants(connection).execute())
  }

  async listOn(securables: readonly string[]): Promise<readonly Grant[]> {
    const grants: Grant[] = []
    for (const some of chunks(securables)) {
      const found = await this.#list((connection) =>
        selectGrants(connection).where('securable', 'in', some).execute(),
      )
      grants.push(...found)
    }
    return grants
  }

  listOf(principal: string): Promise<readonly Grant[]> {
    return this.#list((connection) =>
      selectGrants(connection).where('principal', '=', principal).execute(),
    )
  }

  async #list(
    select: (connection: Connection) => Promise<readonly Omit<Grant, 'privilege'>[]>,
  ): Promise<readonly Grant[]> {
    return (await read(this.#engine, select)) as readonly Grant[]
  }

  findPlaces(uuids: readonly string[]): Promise<readonly Place[]> {
    return read(this.#engine, (connection) => findPlaces(connection, uuids))
  }

  findPlace(key: PlaceKey): Promise<Place | undefined> {
    return read(this.#engine, (connection) => findPlace(connection, key))
  }

  change(
    change: GrantChange,
    options: MutationOptions = {},
  ): Promise<'changed' | 'not-found' | 'last-admin' | 'role-gone'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      changeGrants(transaction, change, raised),
    )
  }

  listRoles(): Promise<readonly Role[]> {
    return read(this.#engine, listRoles)
  }

  changeRole(
    change: RoleChange,
    options: MutationOptions = {},
  ): Promise<'changed' | 'last-admin' | 'cyclic' | 'role-gone'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      changeRole(transaction, change, raised),
    )
  }

  dropRole(
    drop: Administrators & Pick<RoleChange, 'role'>,
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'last-admin'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      dropRole(transaction, drop, raised),
    )
  }

  /** In rounds, each of which raises its events. */
  async forgetOrphans(query: {
    readonly nowMs: number
    readonly beforeMs: number
  }): Promise<number> {
    for (let forgotten = 0; ; ) {
      const { things, grants } = await mutate(this.#engine, {}, (transaction, raised) =>
        forgetOrphans(transaction, query, raised),
      )
      forgotten += grants
      if (things < FORGOTTEN_AT_ONCE) return forgotten
    }
  }
}

function selectGrants(connection: Connection) {
  return connection.selectFrom('grants').select(['securable', 'principal', 'privilege'])
}

/** Throws `Refusal`. */
async function changeGrants(
  transaction: SqlTransaction,
  change: GrantChange,
  raised: RaisedEvents,
): Promise<'changed'> {
  const { securable, grant, revoke, roles = [] } = change
  if (isPlaceSecurable(securable)) {
    const [place] = await findPlaces(transaction, [securable])
    if (place === undefined) throw new Refusal('not-found')
  }
  if ((await missingRoles(transaction, roles)).length > 0) throw new Refusal('role-gone')
  const before = await grantsBefore(transaction, change)
  const work = () => writeGrants(transaction, change)
  const takesAdmin = revoke.some(({ privilege }) => privilege === 'admin')
  await (takesAdmin ? keepingAdmin(transaction, change, work) : work())
  for (const some of byPrincipals([...grant, ...revoke])) {
    const data = { granted: grant.filter(some), revoked: revoke.filter(some) }
    raised.raise(grantsChanged(change, { ...data, before: { grants: before.filter(some) } }))
  }
  return 'changed'
}

/** Whose changes are told by one event, and whose by the next. */
function* byPrincipals(changes: readonly Bestowed[]) {
  const principals = [...new Set(changes.map(({ principal }) => principal))]
  for (const some of chunks(principals, TOLD_TOGETHER)) {
    const told = new Set(some)
    yield ({ principal }: Bestowed) => told.has(principal)
  }
}

/** What those who are named had on it, without what is inherited. */
async function grantsBefore(
  transaction: SqlTransaction,
  { securable, grant, revoke }: GrantChange,
): Promise<readonly Bestowed[]> {
  const named = [...new Set([...grant, ...revoke].map(({ principal }) => principal))]
  const found: Bestowed[] = []
  for (const some of chunks(named)) {
    const rows = await transaction
      .selectFrom('grants')
      .select(['principal', 'privilege'])
      .where('securable', '=', securable)
      .where('principal', 'in', some)
      .execute()
    found.push(...rows)
  }
  return found
}

function grantsChanged(
  { securable: subject, name }: Pick<GrantChange, 'securable' | 'name'>,
  data: RaisedEvent['data'],
): RaisedEvent {
  return { type: 'moraine.permissions.changed.v1', subject, name, version: 0, data }
}

async function writeGrants(
  transaction: SqlTransaction,
  { securable, grant, revoke }: GrantChange,
): Promise<void> {
  for (const { principal, privilege } of revoke) {
    await transaction
      .deleteFrom('grants')
      .where('securable', '=', securable)
      .where('principal', '=', principal)
      .where('privilege', '=', privilege)
      .execute()
  }
  const rows = grant.map(({ principal, privilege }) => ({
    ...{ securable, principal, privilege: privilege as Privilege, orphaned_at_ms: null },
  }))
  for (const some of chunks(rows)) {
    await transaction
      .insertInto('grants')
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** Returns how many privileges were forgotten, on up to `FORGOTTEN_AT_ONCE` things. */
async function forgetOrphans(
  transaction: SqlTransaction,
  { nowMs, beforeMs }: { readonly nowMs: number; readonly beforeMs: number },
  raised: RaisedEvents,
): Promise<Forgotten> {
  await noteOrphans(transaction, nowMs)
  const before = BigInt(Math.ceil(beforeMs))
  const old = await transaction
    .selectFrom('grants')
    .select('securable')
    .distinct()
    .where('orphaned_at_ms', '<', before)
    .orderBy('securable')
    .limit(FORGOTTEN_AT_ONCE)
    .execute()
  const securables = old.map(({ securable }) => securable)
  if (securables.length === 0) return { things: 0, grants: 0 }
  const deleted = await transaction
    .deleteFrom('grants')
    .where('securable', 'in', securables)
    .where('orphaned_at_ms', '<', before)
    .returning(['securable', 'principal', 'privilege'])
    .execute()
  const bySecurable = new Map<string, Bestowed[]>(securables.map((each) => [each, []]))
  for (const { securable, principal, privilege } of deleted) {
    bySecurable.get(securable)?.push({ principal, privilege })
  }
  for (const [securable, revoked] of bySecurable) {
    for (const some of byPrincipals(revoked)) {
      const told = revoked.filter(some)
      const data = { granted: [], revoked: told, before: { grants: told }, is_gone: true }
      raised.raise(grantsChanged({ securable, name: '' }, data))
    }
  }
  return { things: securables.length, grants: deleted.length }
}

async function noteOrphans(transaction: SqlTransaction, nowMs: number): Promise<void> {
  const living = transaction
    .selectFrom('tables')
    .select('table_uuid as uuid')
    .unionAll(transaction.selectFrom('views').select('view_uuid as uuid'))
    .unionAll(transaction.selectFrom('namespaces').select('namespace_uuid as uuid'))
    .unionAll(
      transaction
        .selectFrom('datasets')
        .select(sql<string>`cast(${droppedSecurable('')} as text) || securable`.as('uuid'))
        .where('ended_at_ms', 'is', null),
    )
    .unionAll(
      livingOthers(transaction).select(
        sql<string>`cast(${droppedSecurable('')} as text) || dataset_sources.securable`.as('uuid'),
      ),
    )
  await transaction
    .updateTable('grants')
    .set({ orphaned_at_ms: null })
    .where('orphaned_at_ms', 'is not', null)
    .where('securable', 'in', living)
    .execute()
  await transaction
    .updateTable('grants')
    .set({ orphaned_at_ms: BigInt(Math.ceil(nowMs)) })
    .where('orphaned_at_ms', 'is', null)
    .where('securable', '!=', CATALOG_SECURABLE)
    .where('securable', 'not like', exportSecurable('%'))
    .where('securable', 'not in', living)
    .execute()
}
