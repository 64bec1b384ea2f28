import { CatalogError } from '../../core/errors.ts'
import { jointOrigin } from '../../core/event-origin.ts'
import { foldersOf } from '../../core/table/metadata-folder.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { TableState } from '../../core/table/table.ts'
import { keepsFiles } from '../../core/table-properties.ts'
import type { NewDeletion } from '../deletion-store.ts'
import type { MutationOptions } from '../replay-store.ts'
import type {
  CatalogCommit,
  CatalogCommitOutcome,
  ExpectedTable,
  ListTablesQuery,
  NewTable,
  TableKey,
  TableReplacement,
  TableStore,
  TableSummary,
} from '../table-store.ts'
import { keepReaders } from './access/dropped-grants.ts'
import { requireOwnUuid } from './access/own-uuid.ts'
import { grantOwner } from './access/owner-grants.ts'
import { findTableOfResource, freeResource, takeResource } from './access/table-resources.ts'
import { chunks, Refusal, read, type SqlEngine, type SqlTransaction } from './engine/sql-engine.ts'
import { findTable, listTables } from './find-table.ts'
import { type Raising, tableCreated, tableDropped } from './mutation/sql-raised-events.ts'
import { mutate } from './mutation/sql-replays.ts'
import { nameAhead } from './paths-ahead.ts'
import { DefinitionCache, type TableContext } from './rows/definition-cache.ts'
import { changingColumns, logRows, nameColumns, snapshotRow } from './rows/sql-rows.ts'
import { decodeExact } from './rows/tagged-json.ts'
import { commitAll } from './sql-commit.ts'
import { addDeletions, takeFromDeletion, takeTableFromDeletion } from './sql-deletions.ts'
import { beginLife, claimLocation, endLife, insertLocation } from './sql-locations.ts'
import { claimName, releaseName } from './sql-names.ts'
import { addNamespaces } from './sql-namespaces.ts'
import { addPaths, copyPaths, forgetPaths, knowsMany } from './sql-paths.ts'
import { addPublication } from './sql-publications.ts'

export type MutationContext = TableContext & { readonly raised: Raising }

export class SqlTables implements TableStore {
  readonly #context: TableContext

  constructor(engine: SqlEngine) {
    this.#context = { engine, definitions: new DefinitionCache() }
  }

  async create(
    table: NewTable,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists'> {
    refuseReserved(table.state.namespace)
    const { engine } = this.#context
    const isLarge = await isLargeTable(engine, table)
    return mutate(engine, { ...options, isLarge }, (transaction, raised) =>
      insertTable(transaction, table, { raised, ...this.#context }),
    )
  }

  async replace(
    replacement: TableReplacement,
    options: MutationOptions = {},
  ): Promise<'created' | 'already-exists' | 'view-exists' | 'version-mismatch'> {
    const { engine } = this.#context
    const { table, tableUuid } = replacement
    refuseReserved(table.state.namespace)
    const isLarge = (await isLargeTable(engine, table)) || (await knowsMany(engine, tableUuid))
    return mutate(engine, { ...options, isLarge }, (transaction, raised) =>
      replaceTable(transaction, replacement, { raised, ...this.#context }),
    )
  }

  find(key: TableKey): Promise<TableState | undefined> {
    const { engine, definitions } = this.#context
    return read(engine, (connection) => findTable(connection, key, definitions))
  }

  findByResource(resourceId: string): Promise<string | undefined> {
    return read(this.#context.engine, (connection) => findTableOfResource(connection, resourceId))
  }

  list(query: ListTablesQuery): Promise<readonly TableSummary[]> {
    return read(this.#context.engine, (connection) => listTables(connection, query))
  }

  async drop(
    table: ExpectedTable & { readonly deletions?: readonly NewDeletion[] },
    options: MutationOptions = {},
  ): Promise<'dropped' | 'not-found' | 'version-mismatch'> {
    const { engine } = this.#context
    const isLong = (table.deletions?.length ?? 0) > engine.rowsOnLoopMax
    const isLarge = isLong || (await knowsMany(engine, table.tableUuid))
    return mutate(engine, { ...options, isLarge }, (transaction, raised) =>
      dropTable(transaction, table, { raised, ...this.#context }),
    )
  }

  async commit(
    commit: CatalogCommit,
    options: MutationOptions = {},
  ): Promise<CatalogCommitOutcome> {
    for (const { state } of commit.tables) refuseReserved(state.namespace)
    const { engine, definitions } = this.#context
    const origin = options.events ?? jointOrigin(commit.transactions.map(({ events }) => events))
    const isLarge = rowsOf(commit) > engine.rowsOnLoopMax
    const known = { ...options, isLarge, ...(origin !== undefined && { events: origin }) }
    const ahead = await nameAhead(engine, commit)
    const outcome = await mutate(engine, known, (transaction, raised) =>
      commitAll(transaction, commit, { raised, ahead, ...this.#context }),
    )
    if (outcome.outcome !== 'committed') return outcome
    for (const { state } of commit.tables) {
      definitions.markWritten(state.definition, state.version)
    }
    return outcome
  }
}

/** About the rows that it writes or deletes. */
function rowsOf({ tables, transactions }: CatalogCommit): number {
  return tables.reduce(
    (sum, { addedPaths, pathsNamedAgain = [], removedSnapshotIds = [] }) =>
      sum + addedPaths.length + pathsNamedAgain.length + removedSnapshotIds.length,
    transactions.length,
  )
}

/** About the rows that making it writes. */
export async function isLargeTable(
  engine: SqlEngine,
  { addedPaths, snapshots, snapshotLog, copyPathsFromTableUuid: from }: NewTable,
): Promise<boolean> {
  const rows = addedPaths.length + snapshots.length + snapshotLog.length
  return rows > engine.rowsOnLoopMax || (from !== undefined && (await knowsMany(engine, from)))
}

/** Throws `Refusal`. Asked for by the stores of tables and of datasets. */
export async function insertTable(
  transaction: SqlTransaction,
  table: NewTable,
  { engine, definitions, raised, replaces }: MutationContext & { readonly replaces?: string },
): Promise<'created'> {
  const { state, snapshots, snapshotLog } = table
  const { mayShareLocation = false, mayNameAnyPath = false, earlierPublications = [] } = table
  const { namespace, name } = state
  const { tableUuid } = state.definition
  await holdSource(transaction, table) // first, as renamings do: a table's row, then names
  await addNamespaces(transaction, namespace, { engine, raised })
  const claimed = await claimName(transaction, { namespace, name, kind: 'table', uuid: tableUuid })
  if (claimed === 'view') throw new Refusal('view-exists')
  const inserted = await transaction
    .insertInto('tables')
    .values({
      ...changingColumns(state),
      ...nameColumns(state),
      table_uuid: tableUuid,
      created_at_ms: BigInt(state.createdAtMs),
      metadata_location: state.metadataLocation ?? null,
      published_version: BigInt(state.publishedVersion),
      log_length: BigInt(snapshotLog.length),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw new Refusal('already-exists')
  await transaction
    .insertInto('table_definitions')
    .values({ table_uuid: tableUuid, definition: definitions.encode(state.definition) })
    .execute()
  await requireOwnUuid(transaction, { kind: 'table', uuid: tableUuid }, engine)
  await takeResource(transaction, state.definition)
  for (const location of foldersOf(state.definition)) {
    const place = { tableUuid, location }
    if (mayShareLocation) await insertLocation(transaction, place)
    else await claimLocation(transaction, place, engine)
  }
  await beginLife(transaction, { uuid: tableUuid, version: state.version }, 'already-exists')
  await grantOwner(transaction, tableUuid, { principal: raised.principal, replaces })
  raised.raise(tableCreated(state, replaces))
  for (const chunk of chunks(snapshots.map((snapshot) => snapshotRow(tableUuid, snapshot)))) {
    await transaction.insertInto('snapshots').values(chunk).execute()
  }
  for (const chunk of chunks(logRows(tableUuid, snapshotLog, 0n))) {
    await transaction.insertInto('snapshot_log').values(chunk).execute()
  }
  for (const publication of earlierPublications) {
    await addPublication(transaction, { tableUuid, ...publication })
  }
  await addFirstPublication(transaction, state)
  if (mayNameAnyPath) {
    await transaction.insertInto('unkeyed_paths').values({ table_uuid: tableUuid }).execute()
  }
  await namePaths(transaction, table)
  return 'created'
}

/** Makes known what the table references, and takes it from deletion. */
async function namePaths(transaction: SqlTransaction, table: NewTable): Promise<void> {
  const { state, addedPaths, rewritten, copyPathsFromTableUuid, earlierPublications = [] } = table
  const { tableUuid } = state.definition
  const metadata = [...earlierPublications, state].flatMap(
    ({ metadataLocation = [] }) => metadataLocation,
  )
  const paths = [...addedPaths, ...metadata]
  await addPaths(transaction, [{ tableUuid, paths }])
  if (copyPathsFromTableUuid !== undefined) {
    await copyPaths(transaction, { fromTableUuid: copyPathsFromTableUuid, toTableUuid: tableUuid })
  }
  await takeTableFromDeletion(transaction, tableUuid)
  await takeFromDeletion(transaction, paths, rewritten)
}

/**
 * Throws `table-not-found` or `snapshot-not-found`. Whoever drops it, or forgets snapshots of it,
 * waits, and then finds its paths in use.
 */
async function holdSource(
  transaction: SqlTransaction,
  { copyPathsFromTableUuid: tableUuid, snapshots }: NewTable,
): Promise<void> {
  if (tableUuid === undefined) return
  const held = await transaction
    .updateTable('tables')
    .set((column) => ({ version: column.ref('version') }))
    .where('table_uuid', '=', tableUuid)
    .executeTakeFirst()
  const facts = { table: tableUuid }
  if (held.numUpdatedRows === 0n) {
    throw new CatalogError('table-not-found', `there is no table ${tableUuid}`, { facts })
  }
  for (const { snapshotId } of snapshots) {
    const found = await transaction
      .selectFrom('snapshots')
      .select('snapshot_id')
      .where('table_uuid', '=', tableUuid)
      .where('snapshot_id', '=', snapshotId)
      .executeTakeFirst()
    if (found !== undefined) continue
    const snapshot = String(snapshotId)
    throw new CatalogError('snapshot-not-found', `snapshot ${snapshot} was removed meanwhile`, {
      facts: { ...facts, snapshot },
    })
  }
}

/** Throws `Refusal`. */
async function replaceTable(
  transaction: SqlTransaction,
  { tableUuid, expectedVersion, table }: TableReplacement,
  context: MutationContext,
): Promise<'created'> {
  // Changes nothing, but who commits at the same time waits here, and then finds the table gone or
  // newer.
  const found = await transaction
    .updateTable('tables')
    .set((column) => ({ version: column.ref('version') }))
    .where('table_uuid', '=', tableUuid)
    .where('version', '=', BigInt(expectedVersion))
    .executeTakeFirst()
  if (found.numUpdatedRows === 0n) throw new Refusal('version-mismatch')
  refuseReserved(await deleteTable(transaction, { tableUuid, expectedVersion }, context))
  return insertTable(transaction, table, { ...context, replaces: tableUuid })
}

async function addFirstPublication(transaction: SqlTransaction, state: TableState): Promise<void> {
  const { metadataLocation, publishedVersion: version, lastUpdatedMs: publishedAtMs } = state
  if (metadataLocation === undefined) return
  const { tableUuid } = state.definition
  await addPublication(transaction, { tableUuid, version, metadataLocation, publishedAtMs })
}

/** Throws `Refusal`. */
async function dropTable(
  transaction: SqlTransaction,
  { deletions = [], ...table }: ExpectedTable & { readonly deletions?: readonly NewDeletion[] },
  context: MutationContext,
): Promise<'dropped'> {
  refuseReserved(await deleteTable(transaction, table, context))
  await addDeletions(transaction, deletions)
  return 'dropped'
}

/** Returns the namespace that it was in. Throws `Refusal`. */
export async function deleteTable(
  transaction: SqlTransaction,
  { tableUuid, expectedVersion, isUnregistered = false }: ExpectedTable,
  { raised, definitions }: MutationContext,
): Promise<readonly string[]> {
  // The table's own row first: who commits to it at the same time waits here, and then finds it
  // gone.
  const deleted = await transaction
    .deleteFrom('tables')
    .where('table_uuid', '=', tableUuid)
    .where('version', '=', BigInt(expectedVersion))
    .returning(['namespace', 'name', 'published_version', 'metadata_location'])
    .executeTakeFirst()
  if (deleted === undefined) throw new Refusal(await whyNotDeleted(transaction, tableUuid))
  const namespace = decodeExact<readonly string[]>(deleted.namespace)
  const isPublished = Number(deleted.published_version) === expectedVersion
  const metadataLocation = isPublished ? deleted.metadata_location : null
  const version = expectedVersion + 1
  raised.raise(tableDropped({ ...deleted, namespace, tableUuid, version, metadataLocation }))
  await keepReaders(transaction, { tableUuid, namespace })
  await releaseName(transaction, { kind: 'table', uuid: tableUuid })
  await freeResource(transaction, tableUuid)
  for (const name of ['snapshots', 'snapshot_log', 'publications', 'unkeyed_paths'] as const) {
    await transaction.deleteFrom(name).where('table_uuid', '=', tableUuid).execute()
  }
  const { definition } = await transaction
    .deleteFrom('table_definitions')
    .where('table_uuid', '=', tableUuid)
    .returning('definition')
    .executeTakeFirstOrThrow()
  // Its location stays its own while files may be there.
  const { properties } = definitions.decode(tableUuid, definition, expectedVersion)
  const keeps = isUnregistered || keepsFiles(properties)
  await endLife(transaction, { uuid: tableUuid, version: expectedVersion, keepsFiles: keeps })
  await forgetPaths(transaction, tableUuid)
  return namespace
}

async function whyNotDeleted(
  transaction: SqlTransaction,
  tableUuid: string,
): Promise<'not-found' | 'version-mismatch'> {
  const row = await transaction
    .selectFrom('tables')
    .select('version')
    .where('table_uuid', '=', tableUuid)
    .executeTakeFirst()
  return row === undefined ? 'not-found' : 'version-mismatch'
}
