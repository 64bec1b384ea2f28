import type {
  ListChildNamespacesQuery,
  NamespacePropertiesChange,
  NamespacePropertiesChanged,
  NamespaceRecord,
  NamespaceStore,
} from '../namespace-store.ts'
import type { MutationOptions } from '../replay-store.ts'
import {
  type Connection,
  Refusal,
  read,
  type SqlEngine,
  type SqlTransaction,
} from './sql-engine.ts'
import { childKeyRange, namespaceKey } from './sql-keys.ts'
import { mutate } from './sql-replays.ts'
import { decodeExact, encodeExact } from './tagged-json.ts'

export class SqlNamespaces implements NamespaceStore {
  readonly #engine: SqlEngine

  constructor(engine: SqlEngine) {
    this.#engine = engine
  }

  create(
    namespace: NamespaceRecord,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists'> {
    return mutate(this.#engine, options, (transaction) =>
      insertNamespace(transaction, namespace, this.#engine),
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

  updateProperties(
    change: NamespacePropertiesChange,
    options: MutationOptions = {},
  ): Promise<NamespacePropertiesChanged | 'not-found'> {
    return mutate(this.#engine, options, (transaction) =>
      updateNamespaceProperties(transaction, change),
    )
  }

  drop(
    levels: readonly string[],
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'not-empty'> {
    return mutate(this.#engine, options, (transaction) => deleteNamespace(transaction, levels))
  }
}

/**
 * The namespace and its parents, outermost first: in that order concurrent creations wait, not
 * deadlock. None of them is dropped before the transaction ends.
 */
export async function addNamespaces(
  transaction: SqlTransaction,
  namespace: readonly string[],
  engine: SqlEngine,
): Promise<void> {
  if (namespace.length === 0) return
  const rows = namespace.map((_, index) => namespaceRow(namespace.slice(0, index + 1)))
  const keys = rows.map((row) => row.namespace_key)
  do {
    await transaction
      .insertInto('namespaces')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    // Again, when one that was there has been dropped since.
  } while (!(await engine.holdNamespaces(transaction, keys)))
}

function namespaceRow(levels: readonly string[], properties: NamespaceRecord['properties'] = {}) {
  return {
    namespace_key: namespaceKey(levels),
    levels: encodeExact(levels),
    depth: BigInt(levels.length),
    properties: encodeExact(properties),
  }
}

/** Throws `Refusal`. */
async function insertNamespace(
  transaction: SqlTransaction,
  { levels, properties }: NamespaceRecord,
  engine: SqlEngine,
): Promise<'created'> {
  if (levels.length === 0) throw new Refusal('already-exists')
  await addNamespaces(transaction, levels.slice(0, -1), engine)
  const inserted = await transaction
    .insertInto('namespaces')
    .values(namespaceRow(levels, properties))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw new Refusal('already-exists')
  return 'created'
}

async function listChildNamespaces(
  connection: Connection,
  { parent, after, limit }: ListChildNamespacesQuery,
): Promise<readonly (readonly string[])[]> {
  let query = children(connection, parent).select('levels').orderBy('namespace_key').limit(limit)
  if (after !== undefined) query = query.where('namespace_key', '>', namespaceKey(after))
  const rows = await query.execute()
  return rows.map(({ levels }) => decodeExact<readonly string[]>(levels))
}

function children(connection: Connection, parent: readonly string[]) {
  const query = connection.selectFrom('namespaces').where('depth', '=', BigInt(parent.length + 1))
  if (parent.length === 0) return query
  const { start, end } = childKeyRange(parent)
  return query.where('namespace_key', '>=', start).where('namespace_key', '<', end)
}

/** Throws `Refusal`. */
async function updateNamespaceProperties(
  transaction: SqlTransaction,
  { levels, updates, removals }: NamespacePropertiesChange,
): Promise<NamespacePropertiesChanged> {
  const update = () =>
    transaction.updateTable('namespaces').where('namespace_key', '=', namespaceKey(levels))
  // Changes nothing, but what it answers stays as it is until the transaction ends.
  const row = await update()
    .set((column) => ({ properties: column.ref('properties') }))
    .returning('properties')
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
  return { before, after }
}

/** Throws `Refusal`. */
async function deleteNamespace(
  transaction: SqlTransaction,
  levels: readonly string[],
): Promise<'dropped'> {
  const key = namespaceKey(levels)
  // Its own row first: who puts something into it at the same time is waited for, and then seen
  // below.
  const deleted = await transaction
    .deleteFrom('namespaces')
    .where('namespace_key', '=', key)
    .executeTakeFirst()
  if (deleted.numDeletedRows === 0n) throw new Refusal('not-found')
  const [content] = await transaction
    .selectFrom('names')
    .select('name_key')
    .where('namespace_key', '=', key)
    .limit(1)
    .execute()
  const [child] = await listChildNamespaces(transaction, { parent: levels, limit: 1 })
  if (content !== undefined || child !== undefined) throw new Refusal('not-empty')
  return 'dropped'
}
