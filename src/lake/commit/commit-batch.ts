import type { Stores } from '../../catalog/catalog.ts'
import { FilesDeletedError } from '../../catalog/deletion-store.ts'
import type { CatalogCommitOutcome, TableCommit } from '../../catalog/table-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AddedFile } from '../../core/file/data-file.ts'
import { keyInUse } from '../../core/replay.ts'
import { type TableDefinition, withTakenRowIds } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { TableCommitResult } from '../../core/table/transaction.ts'
import { isUnknownState, readAfter } from '../../core/unknown-state.ts'
import { pastDeletions } from '../deletion/past-deletions.ts'
import { deleteQuietly } from '../snapshot/orphans.ts'
import { type PreparedSnapshot, writeSnapshot } from '../snapshot/snapshot-writer.ts'
import { SpareManifests } from '../snapshot/spare-manifests.ts'
import type { CommitServices } from './commit-dependencies.ts'
import type { BatchOutcome, PendingTransaction } from './commit-queue.ts'
import { thoseAdding } from './deleted-files.ts'
import { withNames } from './name-mapping-update.ts'
import { LostRace, onNewest } from './on-newest.ts'
import type { SharedTurn } from './shared-turns.ts'
import { getTransaction, requireOpen } from './transaction-state.ts'
import { transactionSummary } from './transaction-summary.ts'
import { asError, type Outcomes, type TableBatch, validateBatch } from './validate-batch.ts'

/**
 * What carries a commit from the request to its answer, in this order:
 *
 * - `Staging` is what one call stages; `StagedFile` a file of it whose footer was read.
 * - `StagedChange` is all that a transaction has staged for one table; `PendingTransaction` the
 *   transaction with its changes, in the queue.
 * - `ValidChange` is a staged change held against the newest state; `TableBatch` those of one
 *   table; `FileChange` the files that the batch adds and removes; `ResolvedChange` the same with
 *   the entries and manifests that this touches.
 * - `PreparedSnapshot` is the new snapshot, its files written; `PreparedTable` the batch with it.
 * - `TableCommit` is the difference that the catalog is to make to one table, `CatalogCommit` that
 *   of all tables and transactions in one step. (`TableDifference` leads there from a change of the
 *   definition.)
 * - `TableCommitResult` is what a transaction did to one table; it is stored with the transaction
 *   and returned again when the commit is repeated.
 */

interface PreparedTable extends TableBatch {
  readonly prepared: PreparedSnapshot
}

/**
 * Commits a batch: each table that it touches gets one snapshot, all in one step of the catalog. A
 * batch is one transaction of any kind, or several that only append to one and the same table. One
 * that is refused fails alone; when another process comes first, the batch goes again on the new
 * state.
 */
export async function commitBatch(
  deps: CommitServices,
  batch: readonly PendingTransaction[],
  turn?: SharedTurn,
): Promise<BatchOutcome> {
  const outcomes: Outcomes = new Map()
  const unique = new Map(batch.map((pending) => [pending.transaction.transactionId, pending]))
  const spares = new SpareManifests(deps)
  const attempt = async () => {
    for (;;) {
      const waiting = [...unique.values()].filter((p) => !outcomes.has(p.transaction.transactionId))
      if (waiting.length === 0) return outcomes
      const raced = await tryCommit(deps, waiting, { outcomes, spares })
      if (raced !== undefined) return new LostRace({ tableUuid: raced.tableUuid })
    }
  }
  try {
    return await onNewest(deps, attempt, { turn })
  } finally {
    await spares.close()
  }
}

/** Settles at least one transaction, or returns the table that another process was first on. */
async function tryCommit(
  deps: Stores<'paths' | 'snapshots' | 'tables' | 'transactions'> &
    Pick<CommitServices, 'ambient' | 'manifests' | 'objects' | 'publisher'>,
  waiting: readonly PendingTransaction[],
  { outcomes, spares }: { readonly outcomes: Outcomes; readonly spares: SpareManifests },
): Promise<{ readonly tableUuid: string } | undefined> {
  const tables = await validateBatch(deps, waiting, outcomes)
  const accepted = waiting.filter((p) => !outcomes.has(p.transaction.transactionId))
  if (accepted.length === 0) return undefined
  const prepared = await prepareTables(deps, tables, spares)
  const results = resultsByTransaction(accepted, prepared)
  const outcome = await commitPrepared(deps, prepared, { accepted, results }).catch((error) => {
    if (!(error instanceof FilesDeletedError)) throw error
    return error
  })
  if (outcome instanceof FilesDeletedError) {
    for (const { transaction } of thoseAdding(outcome, accepted)) {
      outcomes.set(transaction.transactionId, outcome)
    }
    return undefined
  }
  if (outcome.outcome === 'committed') {
    for (const table of prepared) deps.publisher.committed(tableCommit(table))
    for (const [transactionId, tableResults] of results) outcomes.set(transactionId, tableResults)
    return undefined
  }
  if (outcome.outcome === 'version-mismatch') {
    for (const table of prepared) await spares.keep(tableUuidOf(table), table.prepared)
    return outcome
  }
  await discard(deps, prepared)
  if (outcome.outcome === 'transaction-changed') {
    outcomes.set(outcome.transactionId, stagedMeanwhile(outcome.transactionId))
    return undefined
  }
  if (outcome.outcome === 'key-taken') {
    outcomes.set(outcome.transactionId, keyInUse(outcome))
    return undefined
  }
  outcomes.set(outcome.transactionId, await endedElsewhere(deps, outcome.transactionId))
  return undefined
}

/** Writes the files of every table's new snapshot. When one fails, none of the others stays. */
async function prepareTables(
  deps: Stores<'paths' | 'snapshots'> & Pick<CommitServices, 'ambient' | 'manifests' | 'objects'>,
  tables: readonly TableBatch[],
  spares: SpareManifests,
): Promise<readonly PreparedTable[]> {
  const outcomes = await Promise.allSettled(
    tables.map((table) => prepareTable(deps, table, spares)),
  )
  const prepared = outcomes.flatMap((o) => (o.status === 'fulfilled' && o.value ? [o.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return prepared
  await discard(deps, prepared)
  throw failed.reason
}

async function prepareTable(
  deps: Stores<'paths' | 'snapshots'> & Pick<CommitServices, 'ambient' | 'manifests' | 'objects'>,
  table: TableBatch,
  spares: SpareManifests,
): Promise<PreparedTable | undefined> {
  const { members, state } = table
  const changes = members.map((member) => member.valid.staged)
  const transactions = members.map((member) => member.pending.transaction)
  const added = members.flatMap((member) => member.valid.addedFiles)
  const removedPaths = new Set(changes.flatMap((change) => change.removedPaths))
  const truncate = changes.some((change) => change.truncate)
  const removes = truncate || removedPaths.size > 0
  const known = removes && { knownFooters: await knownFootersOf(deps, table, added) }
  const request = {
    change: { added, removedPaths, truncate, ...known },
    summary: transactionSummary(transactions),
  }
  const prepared = await spares.use(tableUuidOf(table), (spare) =>
    writeSnapshot(deps, state, { ...request, spare }),
  )
  return prepared === undefined ? undefined : { ...table, prepared }
}

/** What is added and removed at once stays, unless it is another file by now. */
function knownFootersOf(
  { catalog }: Stores<'paths'>,
  table: TableBatch,
  added: readonly AddedFile[],
): Promise<ReadonlyMap<string, string>> {
  return catalog.paths.findFooters(
    tableUuidOf(table),
    added.map(({ path }) => path),
  )
}

function tableUuidOf({ state }: TableBatch): string {
  return state.definition.tableUuid
}

async function commitPrepared(
  deps: Stores<'tables' | 'transactions'> &
    Pick<CommitServices, 'ambient' | 'manifests' | 'objects'>,
  prepared: readonly PreparedTable[],
  {
    accepted,
    results,
  }: {
    accepted: readonly PendingTransaction[]
    results: ReadonlyMap<string, readonly TableCommitResult[]>
  },
): Promise<CatalogCommitOutcome> {
  const endedAtMs = deps.ambient.nowMs()
  const transactions = accepted.map(({ transaction, isNew, keep }) => ({
    isNew,
    ...keep?.(results.get(transaction.transactionId) ?? []),
    transaction: {
      ...transaction,
      state: 'committed' as const,
      endedAtMs,
      results: results.get(transaction.transactionId) ?? [],
    },
  }))
  try {
    const commit = { tables: prepared.map(tableCommit), transactions }
    return await pastDeletions(deps, (rewritten) =>
      deps.catalog.tables.commit({ ...commit, rewritten }),
    )
  } catch (error) {
    if (!isUnknownState(error)) {
      await discard(deps, prepared)
      throw error
    }
    // The files stay: the catalog may name them. Its own word decides, when it can be had.
    const transactionId = accepted[0]?.transaction.transactionId ?? ''
    const stored = await readAfter(error, () => deps.catalog.transactions.find(transactionId))
    if (stored?.state === 'committed') return { outcome: 'committed' }
    throw error
  }
}

function tableCommit({ state, members, prepared }: PreparedTable): TableCommit {
  const { snapshot } = prepared
  const named = withNames(
    inVersion2(state.definition),
    members.map((member) => member.valid),
  )
  return {
    expectedVersion: state.version,
    state: {
      ...state,
      definition: withTakenRowIds(named, snapshot),
      version: state.version + 1,
      lastSequenceNumber: snapshot.sequenceNumber,
      lastUpdatedMs: snapshot.timestampMs,
      currentSnapshot: snapshot,
    },
    newSnapshots: [snapshot],
    newLogEntries: [{ timestampMs: snapshot.timestampMs, snapshotId: snapshot.snapshotId }],
    addedPaths: prepared.addedPaths,
    footers: prepared.footers,
  }
}

/** What is written is of version 2: a table of version 1 is upgraded by its first commit here. */
function inVersion2(definition: TableDefinition): TableDefinition {
  return definition.formatVersion === 1 ? { ...definition, formatVersion: 2 } : definition
}

function resultsByTransaction(
  accepted: readonly PendingTransaction[],
  prepared: readonly PreparedTable[],
): ReadonlyMap<string, readonly TableCommitResult[]> {
  const results = new Map<string, TableCommitResult[]>(
    accepted.map(({ transaction }) => [transaction.transactionId, []]),
  )
  for (const table of prepared) {
    const isShared = table.members.length > 1
    for (const { pending, valid } of table.members) {
      // In a shared snapshot everything is an append, so each transaction's own files are its own
      // counts.
      const own = isShared ? { added: valid.addedFiles, removed: [] } : table.prepared
      results.get(pending.transaction.transactionId)?.push(tableResult(table, own))
    }
  }
  return results
}

function tableResult(
  { state, prepared: { snapshot } }: PreparedTable,
  { added, removed }: Pick<PreparedSnapshot, 'added' | 'removed'>,
): TableCommitResult {
  const records = (files: PreparedSnapshot['added']) =>
    files.reduce((sum, file) => sum + (file.content === 'data' ? file.recordCount : 0), 0)
  return {
    tableUuid: state.definition.tableUuid,
    table: formatTableName(state.namespace, state.name),
    snapshotId: snapshot.snapshotId,
    parentSnapshotId: snapshot.parentSnapshotId,
    sequenceNumber: snapshot.sequenceNumber,
    timestampMs: snapshot.timestampMs,
    operation: snapshot.operation,
    addedDataFiles: added.length,
    addedRecords: records(added),
    removedDataFiles: removed.filter((file) => file.content === 'data').length,
    removedRecords: records(removed),
  }
}

/** Two commits of one transaction at once: the second gets what the first got. */
async function endedElsewhere(
  deps: Stores<'transactions'> & Pick<CommitServices, 'ambient'>,
  transactionId: string,
): Promise<readonly TableCommitResult[] | Error> {
  try {
    const stored = await getTransaction(deps, transactionId)
    if (stored.state === 'committed') return stored.results
    requireOpen(stored, deps.ambient.nowMs())
    return new Error(`transaction ${transactionId} is open and refuses to be committed`)
  } catch (error) {
    return asError(error)
  }
}

async function discard(
  deps: Pick<CommitServices, 'manifests' | 'objects'>,
  prepared: readonly PreparedTable[],
): Promise<void> {
  await deleteQuietly(
    deps,
    prepared.flatMap((table) => table.prepared.writtenLocations),
  )
}

function stagedMeanwhile(transactionId: string): CatalogError {
  return new CatalogError(
    'commit-conflict',
    `files were staged in transaction ${transactionId} while it was being committed: ` +
      'commit it again',
    { facts: { transactionId } },
  )
}
