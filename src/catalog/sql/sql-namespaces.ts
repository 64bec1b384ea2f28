import { randomUUID } from 'node:crypto'
import type { AskedNamespace } from '../../core/replay.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type {
  ListChildNamespacesQuery,
  NamespacePropertiesChange,
  NamespacePropertiesChanged,
  NamespaceRecord,
  NamespaceStore,
} from '../namespace-store.ts'
import type { MutationOptions } from '../replay-store.ts'
import { grantOwner } from './access/owner-grants.ts'
import { isVisibleNamespace } from './access/visible-rows.ts'
import {
  type Connection,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './engine/sql-engine.ts'
import { requireAsked } from './mutation/asked-namespaces.ts'
import { namespaceEvent, type RaisedEvents, type Raising } from './mutation/sql-raised-events.ts'
import { mutate } from './mutation/sql-replays.ts'
import { childKeyRange, DATASETS_KEY, namespaceKey } from './rows/sql-keys.ts'
import { decodeExact, encodeExact } from './rows/tagged-json.ts'

export class SqlNamespaces implements NamespaceStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  async create(
    namespace: NamespaceRecord,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists'> {
    refuseReserved(namespace.levels)
    return mutate(this.#engine, options, (transaction, raised) =>
      insertNamespace(transaction, namespace, { engine: this.#engine, raised }),
    )
  }

  async find(levels: readonly string[]): Promise<NamespaceRecord | undefined> {
    const row = await read(this.#engine, (connection) =>
      connection
        .selectFrom('namespaces')
        .select(['levels', 'properties'])
        .where('namespace_key', '=', namespaceKey(levels))
        .executeTakeFirst(),
    )
    return row === undefined
      ? undefined
      : { levels: decodeExact(row.levels), properties: decodeExact(row.properties) }
  }

  listChildren(query: ListChildNamespacesQuery): Promise<readonly (readonly string[])[]> {
    return read(this.#engine, (connection) => listChildNamespaces(connection, query))
  }

  async updateProperties(
    change: NamespacePropertiesChange,
    options: MutationOptions = {},
  ): Promise<NamespacePropertiesChanged | 'not-found'> {
    refuseReserved(change.levels)
    return mutate(this.#engine, options, (transaction, raised) =>
      updateNamespaceProperties(transaction, change, raised),
    )
  }

  async drop(
    levels: readonly string[],
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'not-empty'> {
    refuseReserved(levels)
    const { namespaces: asked = [], ...others } = options
    const key = namespaceKey(levels)
    // Not its own: two that hold a row before they delete it wait for each other.
    const held = asked.filter((each) => namespaceKey(each.levels) !== key)
    return mutate(this.#engine, { ...others, namespaces: held }, (transaction, raised) =>
      deleteNamespace(transaction, { levels, asked }, raised),
    )
  }
}

/** What is needed where namespaces may be made on the way. */
export interface RaisingContext {
  readonly engine: SqlEngine
  readonly raised: Raising
}

/**
 * The namespace and its parents, outermost first: in that order concurrent creations wait, not
 * deadlock. None of them is dropped before the transaction ends.
 */
export async function addNamespaces(
  transaction: SqlTransaction,
  namespace: readonly string[],
  { engine, raised }: RaisingContext,
): Promise<void> {
  if (namespace.length === 0) return
  const rows = namespace.map((_, index) => namespaceRow(namespace.slice(0, index + 1)))
  const keys = rows.map((row) => row.namespace_key)
  do {
    const inserted = await transaction
      .insertInto('namespaces')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .returning(['levels', 'namespace_uuid'])
      .execute()
    for (const { levels, namespace_uuid } of inserted) {
      await grantOwner(transaction, namespace_uuid, raised)
      raised.raise(namespaceCreated(decodeExact(levels)))
    }
    // Again, when one that was there has been dropped since.
  } while (!(await engine.holdNamespaces(transaction, keys)))
}

function namespaceRow(levels: readonly string[], properties: NamespaceRecord['properties'] = {}) {
  return {
    namespace_key: namespaceKey(levels),
    levels: encodeExact(levels),
    namespace_uuid: randomUUID(),
    depth: BigInt(levels.length),
    properties: encodeExact(properties),
  }
}

function namespaceCreated(levels: readonly string[]) {
  return namespaceEvent('moraine.namespace.created.v1', levels)
}

/** Throws `Refusal`. */
async function insertNamespace(
  transaction: SqlTransaction,
  { levels, properties }: NamespaceRecord,
  context: RaisingContext,
): Promise<'created'> {
  if (levels.length === 0) throw new Refusal('already-exists')
  await addNamespaces(transaction, levels.slice(0, -1), context)
  const row = namespaceRow(levels, properties)
  const inserted = await transaction
    .insertInto('namespaces')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw new Refusal('already-exists')
  await grantOwner(transaction, row.namespace_uuid, context.raised)
  context.raised.raise(namespaceCreated(levels))
  return 'created'
}

async function listChildNamespaces(
  connection: Connection,
  { parent, after, limit, visibleTo }: ListChildNamespacesQuery,
): Promise<readonly (readonly string[])[]> {
  let query = children(connection, parent).select('levels').orderBy('namespace_key').limit(limit)
  if (after !== undefined) query = query.where('namespace_key', '>', namespaceKey(after))
  if (visibleTo !== undefined) query = query.where(isVisibleNamespace(visibleTo))
  const rows = await query.execute()
  return rows.map(({ levels }) => decodeExact<readonly string[]>(levels))
}

function children(connection: Connection, parent: readonly string[]) {
  const query = connection.selectFrom('namespaces').where('depth', '=', BigInt(parent.length + 1))
  // No list shows where the tables of datasets are.
  if (parent.length === 0) return query.where('namespace_key', '!=', DATASETS_KEY)
  const { start, end } = childKeyRange(parent)
  return query.where('namespace_key', '>=', start).where('namespace_key', '<', end)
}

/** Throws `Refusal`. */
async function updateNamespaceProperties(
  transaction: SqlTransaction,
  { levels, updates, removals }: NamespacePropertiesChange,
  raised: RaisedEvents,
): Promise<NamespacePropertiesChanged> {
  const update = () =>
    transaction.updateTable('namespaces').where('namespace_key', '=', namespaceKey(levels))
  // Changes nothing, but what it returns stays as it is until the transaction ends.
  const row = await update()
    .set((column) => ({ properties: column.ref('properties') }))
    .returning(['levels', 'properties'])
    .executeTakeFirst()
  if (row === undefined) throw new Refusal('not-found')
  const before = decodeExact<NamespaceRecord['properties']>(row.properties)
  const removed = new Set(removals)
  const after = Object.fromEntries(
    Object.entries({ ...before, ...updates }).filter(([key]) => !removed.has(key)),
  )
  await update()
    .set({ properties: encodeExact(after) })
    .execute()
  raised.raise(namespaceEvent('moraine.namespace.updated.v1', decodeExact(row.levels)))
  return { before, after }
}

/** Throws `Refusal`. */
async function deleteNamespace(
  transaction: SqlTransaction,
  {
    levels,
    asked,
  }: { readonly levels: readonly string[]; readonly asked: readonly AskedNamespace[] },
  raised: RaisedEvents,
): Promise<'dropped'> {
  const key = namespaceKey(levels)
  // Its own row first: who puts something into it at the same time is waited for, and then seen
  // below.
  const deleted = await transaction
    .deleteFrom('namespaces')
    .where('namespace_key', '=', key)
    .returning(['namespace_key', 'levels', 'namespace_uuid'])
    .executeTakeFirst()
  if (deleted === undefined) throw new Refusal('not-found')
  requireAsked(asked, deleted)
  const [content] = await transaction
    .selectFrom('names')
    .select('name_key')
    .where('namespace_key', '=', key)
    .limit(1)
    .execute()
  const [child] = await listChildNamespaces(transaction, { parent: levels, limit: 1 })
  if (content !== undefined || child !== undefined) throw new Refusal('not-empty')
  const { levels: named, namespace_uuid } = deleted
  const data = { namespace_uuid }
  raised.raise(namespaceEvent('moraine.namespace.dropped.v1', decodeExact(named), data))
  return 'dropped'
}
