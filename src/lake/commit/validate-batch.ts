import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { TableState } from '../../core/table/table.ts'
import type { TableCommitResult } from '../../core/table/transaction.ts'
import { tableNotFound } from '../table/table-lookup.ts'
import type { CommitServices } from './commit-dependencies.ts'
import type { PendingTransaction } from './commit-queue.ts'
import { type ValidChange, validateChange } from './commit-validation.ts'
import { requireOpen } from './transaction-state.ts'

/** What became of each transaction, by its id. */
export type Outcomes = Map<string, readonly TableCommitResult[] | Error>

/** Valid changes of one table, and the state that they were held against. */
export interface TableBatch {
  readonly state: TableState
  readonly members: readonly { readonly pending: PendingTransaction; readonly valid: ValidChange }[]
}

/**
 * Holds every transaction of a batch against the newest state of its tables. Those that are refused
 * get their outcome; the others are returned by table.
 */
export async function validateBatch(
  deps: Stores<'paths' | 'tables' | 'transactions'> &
    Pick<CommitServices, 'ambient' | 'manifests' | 'objects'>,
  batch: readonly PendingTransaction[],
  outcomes: Outcomes,
): Promise<readonly TableBatch[]> {
  const loaded = await loadTables(deps, batch)
  const addedPaths = new Set<string>()
  const tables = new Map<string, { state: TableState; members: TableBatch['members'][number][] }>()
  for (const pending of batch) {
    try {
      requireOpen(pending.transaction, deps.ambient.nowMs())
      const valid = await validateTransaction(deps, pending, loaded)
      refuseClashInBatch(valid, addedPaths)
      for (const { state, change } of valid) {
        const table = tables.get(change.staged.tableUuid) ?? { state, members: [] }
        table.members.push({ pending, valid: change })
        tables.set(change.staged.tableUuid, table)
      }
    } catch (error) {
      outcomes.set(
        pending.transaction.transactionId,
        await refusedOrCommitted(deps, pending, error),
      )
    }
  }
  return [...tables.values()]
}

interface LoadedTable {
  readonly state: TableState
  /** Paths among those that the batch adds which the table may have had. */
  readonly known: ReadonlySet<string>
}

/** The state first: what is added to the table after it makes its version stale. */
async function loadTables(
  deps: Stores<'paths' | 'tables'>,
  batch: readonly PendingTransaction[],
): Promise<ReadonlyMap<string, LoadedTable>> {
  const addedPaths = new Map<string, string[]>()
  for (const { tableUuid, addedFiles } of batch.flatMap((pending) => pending.changes)) {
    const paths = addedPaths.get(tableUuid) ?? []
    for (const { dataFile } of addedFiles) paths.push(dataFile.path)
    addedPaths.set(tableUuid, paths)
  }
  const tables = Array.from(addedPaths, async ([tableUuid, paths]) => {
    const state = await deps.catalog.tables.find({ tableUuid })
    if (state === undefined) return []
    const known = await deps.catalog.paths.findKnown(tableUuid, paths)
    return [[tableUuid, { state, known }] as const]
  })
  return new Map((await Promise.all(tables)).flat())
}

async function validateTransaction(
  deps: Stores<'paths'> & Pick<CommitServices, 'manifests' | 'objects'>,
  { transaction, changes }: PendingTransaction,
  tables: ReadonlyMap<string, LoadedTable>,
): Promise<{ state: TableState; change: ValidChange }[]> {
  const valid: { state: TableState; change: ValidChange }[] = []
  for (const change of changes) {
    const table = tables.get(change.tableUuid)
    if (table === undefined) throw tableNotFound({ tableUuid: change.tableUuid })
    const { state, known } = table
    valid.push({ state, change: await validateChange(deps, state, { transaction, change, known }) })
  }
  return valid
}

function refuseClashInBatch(
  valid: readonly { change: ValidChange }[],
  addedPaths: Set<string>,
): void {
  const keys = valid.flatMap(({ change }) =>
    change.addedFiles.map((file) => `${change.staged.tableUuid} ${locationKey(file.path)}`),
  )
  const clash = keys.find((key) => addedPaths.has(key))
  if (clash !== undefined) {
    const path = clash.slice(clash.indexOf(' ') + 1)
    throw new CatalogError('file-already-in-table', `${path} is added by another transaction`, {
      facts: { path },
    })
  }
  for (const key of keys) addedPaths.add(key)
}

/**
 * What speaks against a transaction may be its own first commit: then that one's answer is given
 * again.
 */
async function refusedOrCommitted(
  deps: Stores<'transactions'>,
  { transaction, isNew }: PendingTransaction,
  error: unknown,
): Promise<readonly TableCommitResult[] | Error> {
  if (isNew) return asError(error)
  const stored = await deps.catalog.transactions.find(transaction.transactionId)
  return stored?.state === 'committed' ? stored.results : asError(error)
}

/** As an error, whatever was thrown. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
