import { keepsFiles } from '../../core/table-properties.ts'
import type { NewDeletion } from '../deletion-store.ts'
import type { ExpectedTable } from '../table-store.ts'
import { keepReaders } from './access/dropped-grants.ts'
import { freeResource } from './access/table-resources.ts'
import { chunks, Refusal, read, type SqlEngine, type SqlTransaction } from './engine/sql-engine.ts'
import { findTableVersion } from './find/find-table.ts'
import { tableDropped } from './mutation/sql-raised-events.ts'
import { writeHeld } from './paths/sql-paths.ts'
import { endPurge, notePurge, type PurgeOfTable, purgesOf } from './paths/sql-purges.ts'
import { forgetLeftovers, forgetSomePaths, noteLeftovers } from './paths/table-leftovers.ts'
import { decodeExact } from './rows/tagged-json.ts'
import type { MutationContext } from './sql-creations.ts'
import { addDeletions } from './sql-deletions.ts'
import { endLife } from './sql-locations.ts'
import { releaseName } from './sql-names.ts'

/** A drop of more files dooms them before its own transaction, so many at a time. */
const DOOMED_TOGETHER_MAX = 5_000
const DOOMED_AT_ONCE = 2_000

/** What a drop dooms. */
export interface DropDeletions {
  /** To be written by the drop itself. */
  readonly own: readonly NewDeletion[]
  /** To count from the drop on. */
  readonly purges: readonly PurgeOfTable[]
}

/**
 * Dooms the files of a large table before its drop, some at a time. Nobody deletes them unless the
 * drop comes; a table that is gone, or has another version, will not be dropped.
 */
export async function doomAhead(
  engine: SqlEngine,
  table: { readonly tableUuid: string; readonly expectedVersion?: number },
  deletions: readonly NewDeletion[],
): Promise<DropDeletions> {
  const purges = purgesOf(deletions)
  if (deletions.length <= DOOMED_TOGETHER_MAX) return { own: deletions, purges }
  for (const slice of chunks(deletions, DOOMED_AT_ONCE)) {
    const isThere = await writeHeld(engine, table, (transaction) =>
      addDeletions(transaction, slice, 'new'),
    )
    if (!isThere) break
  }
  return { own: [], purges }
}

/** After the drop: forgets the paths that are left, some at a time. */
export async function forgetRest(engine: SqlEngine, tableUuid: string): Promise<void> {
  const note = await read(engine, (connection) =>
    connection
      .selectFrom('table_leftovers')
      .select('table_uuid')
      .where('table_uuid', '=', tableUuid)
      .executeTakeFirst(),
  )
  if (note !== undefined) await forgetLeftovers(engine, tableUuid)
}

export interface DroppedTable extends ExpectedTable {
  readonly deletions?: DropDeletions
  /** Whether the same transaction makes it again. */
  readonly isReplaced?: boolean
  /** Whether it is then to know the paths that it knows already. */
  readonly keepsPaths?: boolean
  /** Whether it never comes back, though no purge of it is written down. */
  readonly isGone?: boolean
}

/** Returns the namespace that it was in. Throws `Refusal`. */
export async function deleteTable(
  transaction: SqlTransaction,
  { tableUuid, expectedVersion, isUnregistered = false, deletions, ...how }: DroppedTable,
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
  if (deleted === undefined) {
    const found = await findTableVersion(transaction, tableUuid)
    throw new Refusal(found === undefined ? 'not-found' : 'version-mismatch')
  }
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
  const purges = deletions?.purges ?? []
  const leavesFiles = purges.length === 0 && how.isReplaced !== true && how.isGone !== true
  const ended = { uuid: tableUuid, version: expectedVersion, keepsFiles: keeps, leavesFiles }
  await endLife(transaction, ended)
  await endPurge(transaction, tableUuid)
  // The table has named them until now.
  await addDeletions(transaction, deletions?.own ?? [], 'new')
  for (const purge of purges) await notePurge(transaction, purge)
  if (how.keepsPaths === true || (await forgetSomePaths(transaction, tableUuid))) return namespace
  await noteLeftovers(transaction, tableUuid)
  return namespace
}
