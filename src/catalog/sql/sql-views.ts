import { nameKey } from '../../core/table/name-key.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { MutationOptions } from '../replay-store.ts'
import type {
  ListViewsQuery,
  NewView,
  ViewChange,
  ViewKey,
  ViewState,
  ViewStore,
  ViewSummary,
} from '../view-store.ts'
import { requireOwnUuid } from './access/own-uuid.ts'
import { grantOwner } from './access/owner-grants.ts'
import { isVisible } from './access/visible-rows.ts'
import {
  type Connection,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import type { ViewRow } from './engine/sql-schema.ts'
import { type RaisedEvents, viewEvent } from './mutation/sql-raised-events.ts'
import { mutate } from './mutation/sql-replays.ts'
import { namespaceKey } from './rows/sql-keys.ts'
import { nameColumns } from './rows/sql-rows.ts'
import { decodeExact } from './rows/tagged-json.ts'
import { beginLife, claimFolders, endLife, releaseFolders } from './sql-locations.ts'
import { claimName, releaseName } from './sql-names.ts'
import { addNamespaces, type RaisingContext } from './sql-namespaces.ts'

export class SqlViews implements ViewStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  create(
    view: NewView,
    options: MutationOptions = {},
  ): Promise<'created' | 'view-exists' | 'table-exists'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      insertView(transaction, view, { engine: this.#engine, raised }),
    )
  }

  find(key: ViewKey): Promise<ViewState | undefined> {
    return read(this.#engine, (connection) => findView(connection, key))
  }

  list(query: ListViewsQuery): Promise<readonly ViewSummary[]> {
    return read(this.#engine, (connection) => listViews(connection, query))
  }

  replace(
    change: ViewChange,
    options: MutationOptions = {},
  ): Promise<'replaced' | 'version-mismatch' | 'view-exists' | 'table-exists'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      replaceView(transaction, change, { engine: this.#engine, raised }),
    )
  }

  drop(viewUuid: string, options: MutationOptions = {}): Promise<'dropped' | 'not-found'> {
    return mutate(this.#engine, options, (transaction, raised) =>
      deleteView(transaction, viewUuid, raised),
    )
  }
}

/** Throws `Refusal`. */
async function insertView(
  transaction: SqlTransaction,
  view: NewView,
  context: RaisingContext,
): Promise<'created'> {
  await nameView(transaction, view, context)
  const inserted = await transaction
    .insertInto('views')
    .values({
      ...changingColumns(view),
      view_uuid: view.viewUuid,
      created_at_ms: BigInt(view.createdAtMs),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw new Refusal('view-exists')
  await requireOwnUuid(transaction, { kind: 'view', uuid: view.viewUuid }, context.engine)
  await beginLife(transaction, { uuid: view.viewUuid, version: view.version }, 'view-exists')
  const { viewUuid, folders = [], mayShareFolders: mayShare = false } = view
  await claimFolders(transaction, { viewUuid, folders, mayShare }, context.engine)
  await grantOwner(transaction, viewUuid, context.raised)
  context.raised.raise(viewEvent('moraine.view.created.v1', view))
  return 'created'
}

async function nameView(
  transaction: SqlTransaction,
  { namespace, name, viewUuid }: ViewState,
  context: RaisingContext,
): Promise<void> {
  refuseReserved(namespace)
  await addNamespaces(transaction, namespace, context)
  const claimed = await claimName(transaction, { namespace, name, kind: 'view', uuid: viewUuid })
  if (claimed !== 'claimed') throw new Refusal(`${claimed}-exists`)
}

function changingColumns(view: ViewState) {
  return {
    ...nameColumns(view),
    version: BigInt(view.version),
    metadata: view.metadata,
    metadata_location: view.metadataLocation,
    last_updated_ms: BigInt(view.lastUpdatedMs),
  }
}

async function findView(connection: Connection, key: ViewKey): Promise<ViewState | undefined> {
  const row = await connection
    .selectFrom('views')
    .selectAll()
    .where((where) =>
      'viewUuid' in key
        ? where('view_uuid', '=', key.viewUuid)
        : where.and({
            namespace_key: namespaceKey(key.namespace),
            name_key: nameKey(key.name),
          }),
    )
    .executeTakeFirst()
  return row === undefined ? undefined : viewOf(row)
}

function viewOf(row: ViewRow): ViewState {
  return {
    viewUuid: row.view_uuid,
    namespace: decodeExact<readonly string[]>(row.namespace),
    name: row.name,
    version: Number(row.version),
    metadata: row.metadata,
    metadataLocation: row.metadata_location,
    createdAtMs: Number(row.created_at_ms),
    lastUpdatedMs: Number(row.last_updated_ms),
  }
}

async function listViews(
  connection: Connection,
  { namespace, after, limit, visibleTo }: ListViewsQuery,
): Promise<readonly ViewSummary[]> {
  let query = connection
    .selectFrom('views')
    .select(['namespace', 'name'])
    .where('namespace_key', '=', namespaceKey(namespace))
    .orderBy('name_key')
    .limit(limit)
  if (after !== undefined) query = query.where('name_key', '>', nameKey(after))
  if (visibleTo !== undefined) query = query.where(isVisible(visibleTo, 'views'))
  const rows = await query.execute()
  return rows.map((row) => ({
    namespace: decodeExact<readonly string[]>(row.namespace),
    name: row.name,
  }))
}

/**
 * Throws `Refusal`. The view's row first, then its name: the version decides before the name is
 * looked at.
 */
async function replaceView(
  transaction: SqlTransaction,
  { expectedVersion, state, folders = [] }: ViewChange,
  context: RaisingContext,
): Promise<'replaced'> {
  if (state.version !== expectedVersion + 1) {
    throw new Error(`view of version ${state.version} upon version ${expectedVersion}`)
  }
  const { namespace_key, name_key, namespace, name, ...columns } = changingColumns(state)
  const replaced = await transaction
    .updateTable('views')
    .set(columns)
    .where('view_uuid', '=', state.viewUuid)
    .where('version', '=', BigInt(expectedVersion))
    .returning(['namespace', 'name'])
    .executeTakeFirst()
  if (replaced === undefined) throw new Refusal('version-mismatch')
  const { viewUuid } = state
  await claimFolders(transaction, { viewUuid, folders, mayShare: false }, context.engine)
  if (replaced.namespace === namespace && replaced.name === name) {
    context.raised.raise(viewEvent('moraine.view.replaced.v1', state))
    return 'replaced'
  }
  const before = { namespace: decodeExact<string[]>(replaced.namespace), name: replaced.name }
  context.raised.raise(viewEvent('moraine.view.renamed.v1', state, before))
  await nameView(transaction, state, context)
  await transaction
    .updateTable('views')
    .set({ namespace_key, name_key, namespace, name })
    .where('view_uuid', '=', state.viewUuid)
    .execute()
  return 'replaced'
}

/** Throws `Refusal`. */
async function deleteView(
  transaction: SqlTransaction,
  viewUuid: string,
  raised: RaisedEvents,
): Promise<'dropped'> {
  const deleted = await transaction
    .deleteFrom('views')
    .where('view_uuid', '=', viewUuid)
    .returning(['namespace', 'name', 'version'])
    .executeTakeFirst()
  if (deleted === undefined) throw new Refusal('not-found')
  const { name, version } = deleted
  const namespace = decodeExact<readonly string[]>(deleted.namespace)
  const gone = { viewUuid, namespace, name, version: Number(version) + 1 }
  raised.raise(viewEvent('moraine.view.dropped.v1', gone))
  await releaseName(transaction, { kind: 'view', uuid: viewUuid })
  const ended = { uuid: viewUuid, version: Number(version), keepsFiles: false }
  await endLife(transaction, ended)
  await releaseFolders(transaction, viewUuid)
  return 'dropped'
}
