import { sql } from 'kysely'
import type { Privilege } from '../../../core/access/privilege.ts'
import {
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
  write,
} from '../engine/sql-engine.ts'
import type { RaisedEvents } from '../mutation/sql-raised-events.ts'
import { mutate } from '../mutation/sql-replays.ts'
import { livingOthers } from '../rows/dataset-securables.ts'
import { keepingAdmin } from './admins.ts'
import { findPlace, findPlaces } from './sql-places.ts'
import { changeRole, dropRole, listRoles } from './sql-roles.ts'

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
  ): Promise<'changed' | 'not-found' | 'last-admin'> {
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
  ): Promise<'changed' | 'last-admin' | 'cyclic'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      changeRole(transaction, change, raised),
    )
  }

  dropRole(
    drop: Pick<RoleChange, 'role' | 'nowMs'>,
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'last-admin'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      dropRole(transaction, drop, raised),
    )
  }

  forgetOrphans(query: { readonly nowMs: number; readonly beforeMs: number }): Promise<number> {
    return write(this.#engine, (transaction) => forgetOrphans(transaction, query))
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
  const { securable, name, grant, revoke } = change
  if (isPlaceSecurable(securable)) {
    const [place] = await findPlaces(transaction, [securable])
    if (place === undefined) throw new Refusal('not-found')
  }
  const work = () => writeGrants(transaction, change)
  const takesAdmin = revoke.some(({ privilege }) => privilege === 'admin')
  await (takesAdmin ? keepingAdmin(transaction, change.nowMs, work) : work())
  const data = { granted: grant, revoked: revoke }
  raised.raise({
    ...{ type: 'moraine.permissions.changed.v1', subject: securable, name, version: 0, data },
  })
  return 'changed'
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

async function forgetOrphans(
  transaction: SqlTransaction,
  { nowMs, beforeMs }: { readonly nowMs: number; readonly beforeMs: number },
): Promise<number> {
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
  const deleted = await transaction
    .deleteFrom('grants')
    .where('orphaned_at_ms', '<', BigInt(Math.ceil(beforeMs)))
    .executeTakeFirst()
  return Number(deleted.numDeletedRows)
}
