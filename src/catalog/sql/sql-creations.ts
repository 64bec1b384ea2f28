import { CatalogError } from '../../core/errors.ts'
import { foldersOf } from '../../core/table/metadata-folder.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NewTable } from '../table-store.ts'
import { requireOwnUuid } from './access/own-uuid.ts'
import { grantOwner } from './access/owner-grants.ts'
import { copyPolicy } from './access/sql-policies.ts'
import { takeResource } from './access/table-resources.ts'
import { chunks, Refusal, type SqlTransaction } from './engine/sql-engine.ts'
import { type Raising, tableCreated } from './mutation/sql-raised-events.ts'
import { addPaths, addReturning, addRows, noPathInsert, pathRows } from './paths/path-rows.ts'
import { copyPaths, holdTable, isUnkeyed, letNameAnyPath } from './paths/sql-paths.ts'
import { endClaim, LostClaimError } from './paths/table-leftovers.ts'
import { type CreationAhead, takeAllFromDeletion } from './paths-ahead.ts'
import type { TableContext } from './rows/definition-cache.ts'
import { changingColumns, logRows, nameColumns, snapshotRow } from './rows/sql-rows.ts'
import { takeFromDeletion, takeTableFromDeletion } from './sql-deletions.ts'
import { beginLife, claimLocation, findLastVersion, insertLocation } from './sql-locations.ts'
import { claimName } from './sql-names.ts'
import { addNamespaces } from './sql-namespaces.ts'
import { addPublication } from './sql-publications.ts'

export type MutationContext = TableContext & { readonly raised: Raising }

export type CreationContext = MutationContext & {
  readonly ahead: CreationAhead | undefined
  readonly replaces?: string
}

/**
 * Throws `Refusal`, or a `LostClaimError` when what is known beforehand may not be so any more.
 * Asked for by the stores of tables and of datasets.
 */
export async function insertTable(
  transaction: SqlTransaction,
  table: NewTable,
  { engine, definitions, raised, ahead, replaces }: CreationContext,
): Promise<'created'> {
  const { state, snapshots, snapshotLog } = table
  const { mayShareLocation = false, mayNameAnyPath = false, earlierPublications = [] } = table
  const { namespace, name } = state
  const { tableUuid } = state.definition
  await holdSource(transaction, table, ahead) // first, as renamings do: a table's row, then names
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
  await endClaim(transaction, tableUuid, ahead?.claim)
  await takeResource(transaction, state.definition)
  for (const location of foldersOf(state.definition)) {
    const place = { tableUuid, location }
    if (mayShareLocation) await insertLocation(transaction, place)
    else await claimLocation(transaction, place, engine)
  }
  await beginLife(transaction, { uuid: tableUuid, version: state.version }, 'already-exists')
  await grantOwner(transaction, tableUuid, { principal: raised.principal, replaces })
  raised.raise(tableCreated(state, replaces))
  await copyPolicy(transaction, table, raised)
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
  if (mayNameAnyPath) await letNameAnyPath(transaction, tableUuid)
  await namePaths(transaction, table, { ahead, isAnew: replaces === tableUuid })
  return 'created'
}

/** Makes known what the table references, and takes it from deletion. */
async function namePaths(
  transaction: SqlTransaction,
  table: NewTable,
  { ahead, isAnew }: { readonly ahead: CreationAhead | undefined; readonly isAnew: boolean },
): Promise<void> {
  const { state, addedPaths, rewritten, copyPathsFromTableUuid, earlierPublications = [] } = table
  const { tableUuid } = state.definition
  const metadata = [...earlierPublications, state].flatMap(
    ({ metadataLocation = [] }) => metadataLocation,
  )
  if (ahead !== undefined) {
    await addPaths(transaction, { tableUuid, paths: metadata })
    await addRows(transaction, { tableUuid, rows: ahead.footers }, 'is-replaced')
    await noPathInsert(transaction).execute()
    await copyMark(transaction, table, ahead)
    await takeTableFromDeletion(transaction, tableUuid)
    const named = [{ paths: addedPaths, hashes: ahead.hashes }, { paths: metadata }]
    return takeAllFromDeletion(transaction, named, { rewritten, endedPurgeOf: tableUuid })
  }
  const paths = [...addedPaths, ...metadata]
  const named = { tableUuid, rows: pathRows(paths, table.footers) }
  // Metadata that others wrote may be of other content: what was known before is no longer.
  if (isAnew) await addRows(transaction, named, 'is-replaced')
  else await addReturning(transaction, named)
  if (copyPathsFromTableUuid !== undefined) {
    await copyPaths(transaction, { fromTableUuid: copyPathsFromTableUuid, toTableUuid: tableUuid })
  }
  await takeTableFromDeletion(transaction, tableUuid)
  await takeFromDeletion(transaction, paths, rewritten)
}

/** Whether the clone of a table may name any path, as the table might before its were read. */
async function copyMark(
  transaction: SqlTransaction,
  { state: { definition }, copyPathsFromTableUuid: fromTableUuid }: NewTable,
  { source }: CreationAhead,
): Promise<void> {
  if (fromTableUuid === undefined) return
  const mayNameAny = source?.isUnkeyed === true || (await isUnkeyed(transaction, fromTableUuid))
  if (mayNameAny) await letNameAnyPath(transaction, definition.tableUuid)
}

/**
 * Throws `table-not-found` or `snapshot-not-found`, or a `LostClaimError` if it was dropped and
 * came back since its paths were read. Whoever drops it, or forgets snapshots of it, waits, and
 * then finds its paths in use.
 */
async function holdSource(
  transaction: SqlTransaction,
  { copyPathsFromTableUuid: tableUuid, snapshots }: NewTable,
  ahead: CreationAhead | undefined,
): Promise<void> {
  if (tableUuid === undefined) return
  const facts = { table: tableUuid }
  if ((await holdTable(transaction, tableUuid)) === undefined) {
    throw new CatalogError('table-not-found', `there is no table ${tableUuid}`, { facts })
  }
  const source = ahead?.source
  if (source !== undefined) {
    const lastVersion = await findLastVersion(transaction, tableUuid)
    if (lastVersion !== source.lastVersion) throw new LostClaimError(`${tableUuid} is another one`)
  }
  for (const chunk of chunks(snapshots.map(({ snapshotId }) => snapshotId))) {
    const rows = await transaction
      .selectFrom('snapshots')
      .select('snapshot_id')
      .where('table_uuid', '=', tableUuid)
      .where('snapshot_id', 'in', chunk)
      .execute()
    const found = new Set(rows.map((row) => row.snapshot_id))
    const missing = chunk.find((snapshotId) => !found.has(snapshotId))
    if (missing === undefined) continue
    const snapshot = String(missing)
    throw new CatalogError('snapshot-not-found', `snapshot ${snapshot} was removed meanwhile`, {
      facts: { ...facts, snapshot },
    })
  }
}

async function addFirstPublication(transaction: SqlTransaction, state: TableState): Promise<void> {
  const { metadataLocation, publishedVersion: version, lastUpdatedMs: publishedAtMs } = state
  if (metadataLocation === undefined) return
  const { tableUuid } = state.definition
  await addPublication(transaction, { tableUuid, version, metadataLocation, publishedAtMs })
}
