import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import {
  TRANSACTION_LIFETIME_SECONDS_DEFAULT,
  TRANSACTION_LIFETIME_SECONDS_MAX,
  TRANSACTION_RETENTION_MS,
} from '../../core/limits.ts'
import type { Keep } from '../../core/replay.ts'
import type { TableState } from '../../core/table/table.ts'
import type {
  Isolation,
  StagedChange,
  StagedFile,
  TableCommitResult,
  Transaction,
} from '../../core/table/transaction.ts'
import { deletionsOfUploads } from '../deletion/uploaded-files.ts'
import { getTable } from '../table/table-lookup.ts'
import { requireUnchangedFiles } from './changed-files.ts'
import type { CommitDependencies, CommitServices } from './commit-dependencies.ts'
import type { PendingTransaction } from './commit-queue.ts'
import {
  type GivenPaths,
  getPermitted,
  inspectFiles,
  type Permit,
  requireLive,
  touchTable,
} from './staging.ts'
import {
  getTransaction,
  requireOpen,
  type VisibleState,
  visibleState,
} from './transaction-state.ts'

export type AbortDependencies = Stores<'transactions'> &
  Pick<CommitServices, 'ambient'> & {
    /** How long files stay after nothing names them any more. */
    readonly deleteGraceMs: number
  }

const EXPIRED_AT_ONCE = 100
/** Attempts to abort while files are staged. */
const ABORTS_MAX = 20

export interface StartRequest {
  readonly tables?: readonly string[] | undefined
  readonly author?: string | undefined
  readonly message?: string | undefined
  readonly isolation?: Isolation | undefined
  readonly expiresInSeconds?: number | undefined
}

export interface TransactionView {
  readonly transaction: Transaction
  readonly state: VisibleState
  /** What an open transaction has staged; empty afterwards. */
  readonly changes: readonly StagedChange[]
}

/** A transaction that committed by itself. */
export interface CommittedFiles {
  readonly state: TableState
  readonly files: readonly StagedFile[]
  readonly transactionId: string
  readonly results: readonly TableCommitResult[]
}

export async function startTransaction(
  deps: Stores<'tables' | 'transactions'> & Pick<CommitServices, 'ambient'>,
  request: StartRequest,
  keep?: Keep<Transaction>,
): Promise<Transaction> {
  const { tables = [] } = request
  for (const table of tables) await getTable(deps.catalog, table)
  const transaction = newTransaction(deps, request)
  const { transactionId } = transaction
  const kept = keep?.(transaction) ?? {}
  const { events } = kept
  const first = tables.length === 0 ? kept : { ...(events !== undefined && { events }) }
  await deps.catalog.transactions.start(transaction, first)
  // With the last step: before it the transaction is not what was asked for.
  for (const [i, table] of tables.entries()) {
    const options = i === tables.length - 1 ? kept : {}
    await touchTable(deps, { table, transactionId, options })
  }
  return transaction
}

/**
 * Committing again returns the first result again, however the first answer was lost. `permit`
 * throws unless whoever asks may change all of the tables.
 */
export async function commitTransaction(
  deps: Stores<'transactions'> &
    Pick<CommitDependencies, 'ambient' | 'commits' | 'meter' | 'objects'>,
  transactionId: string,
  {
    permit,
    keep,
  }: {
    permit?(tableUuids: readonly string[]): Promise<void>
    readonly keep?: Keep<readonly TableCommitResult[]>
  } = {},
): Promise<readonly TableCommitResult[]> {
  const transaction = await getTransaction(deps, transactionId)
  if (transaction.state === 'committed') return transaction.results
  requireOpen(transaction, deps.ambient.nowMs())
  // After the transaction: what is staged between the two makes its revision stale, and the commit
  // is refused.
  const changes = (await deps.catalog.transactions.listStaged(transactionId)).filter(isChange)
  await permit?.(changes.map(({ tableUuid }) => tableUuid))
  await requireUnchangedFiles(deps.objects, changes)
  return commitCounted(deps, { transaction, isNew: false, changes, keep })
}

/** Start, stage and commit in one step. */
export async function commitFiles(
  deps: Stores<'tables'> & Pick<CommitDependencies, 'ambient' | 'commits' | 'meter' | 'objects'>,
  request: { readonly table: string; readonly permit?: Permit | undefined } & GivenPaths &
    StartRequest,
  keep?: Keep<CommittedFiles>,
): Promise<CommittedFiles> {
  const state = await getPermitted(deps, request)
  const files = await inspectFiles(deps, state, request)
  const transaction = newTransaction(deps, request)
  const { transactionId } = transaction
  const results = await commitInspected(deps, state, {
    transaction,
    files,
    keep: (made) => keep?.({ state, files, transactionId, results: made }) ?? {},
  })
  return { state, files, transactionId, results }
}

/** Commits files whose footers were read, in a transaction that the catalog does not know yet. */
export async function commitInspected(
  deps: Pick<CommitDependencies, 'commits' | 'meter'>,
  state: TableState,
  request: {
    readonly transaction: Transaction
    readonly files: readonly StagedFile[]
    readonly keep?: Keep<readonly TableCommitResult[]>
  },
): Promise<readonly TableCommitResult[]> {
  deps.meter.filesStaged(request.files.length)
  return commitCounted(deps, {
    transaction: request.transaction,
    isNew: true,
    changes: [{ ...emptyChange(state), addedFiles: request.files }],
    keep: request.keep,
  })
}

/** One removal or truncation that commits by itself. */
export async function commitRemoval(
  deps: Stores<'paths' | 'tables'> &
    Pick<CommitDependencies, 'ambient' | 'commits' | 'manifests' | 'meter'>,
  request: {
    readonly table: string
    readonly permit?: Permit | undefined
    readonly change: { readonly removedPaths: readonly string[]; readonly truncate: boolean }
  } & StartRequest,
  keep?: Keep<CommittedFiles>,
): Promise<CommittedFiles> {
  const state = await getPermitted(deps, request)
  const transaction = newTransaction(deps, request)
  const removedPaths = await requireLive(deps, state, request.change.removedPaths)
  const committed = { state, files: [], transactionId: transaction.transactionId }
  const results = await commitCounted(deps, {
    transaction,
    isNew: true,
    changes: [{ ...emptyChange(state), truncate: request.change.truncate, removedPaths }],
    keep: (made) => keep?.({ ...committed, results: made }) ?? {},
  })
  return { ...committed, results }
}

/** Files that were uploaded to it are deleted after the grace, also those that come just now. */
export async function abortTransaction(
  deps: AbortDependencies,
  transactionId: string,
  keep?: Keep<TransactionView>,
): Promise<TransactionView> {
  for (let attempt = 0; !(await tryAbort(deps, transactionId, keep)); attempt++) {
    if (attempt === ABORTS_MAX) {
      const detail = `files are staged to transaction ${transactionId} all the time; try again`
      throw new CatalogError('overloaded', detail)
    }
  }
  const view = await viewTransaction(deps, transactionId)
  if (view.state === 'committed') requireOpen(view.transaction, deps.ambient.nowMs())
  return view
}

/** Whether nothing was staged in between. */
async function tryAbort(
  deps: AbortDependencies,
  transactionId: string,
  keep: Keep<TransactionView> | undefined,
): Promise<boolean> {
  const transaction = await getTransaction(deps, transactionId)
  const nowMs = deps.ambient.nowMs()
  if (transaction.state === 'committed') requireOpen(transaction, nowMs)
  const aborted = { ...transaction, state: 'aborted' as const, endedAtMs: nowMs }
  const kept = keep?.({ transaction: aborted, state: 'aborted', changes: [] })
  // After the transaction, whose revision is that of what is staged, or an older one.
  const staged = await deps.catalog.transactions.listStaged(transactionId)
  const deletions = deletionsOfUploads(staged, {
    mark: deps.ambient.newUuid(),
    dueAtMs: nowMs + deps.deleteGraceMs,
  })
  const { revision } = transaction
  const options = { ...kept, deletions, revision }
  const outcome = await deps.catalog.transactions.abort(transactionId, nowMs, options)
  return outcome !== 'revision-mismatch'
}

export async function viewTransaction(
  deps: Stores<'transactions'> & Pick<CommitServices, 'ambient'>,
  transactionId: string,
): Promise<TransactionView> {
  const transaction = await getTransaction(deps, transactionId)
  const state = visibleState(transaction, deps.ambient.nowMs())
  const changes =
    transaction.state === 'open' ? await deps.catalog.transactions.listStaged(transactionId) : []
  return { transaction, state, changes }
}

/** Ended and expired transactions are kept for a while, so that a commit can be repeated. */
export async function forgetOldTransactions(
  deps: Stores<'deletions' | 'transactions'> & Pick<CommitServices, 'ambient'>,
): Promise<number> {
  const nowMs = deps.ambient.nowMs()
  const beforeMs = nowMs - TRANSACTION_RETENTION_MS
  await deleteExpiredUploads(deps, { beforeMs, dueAtMs: nowMs })
  return deps.catalog.transactions.forget(beforeMs)
}

/** Files that were uploaded to transactions which expired so long ago that they are forgotten. */
async function deleteExpiredUploads(
  { catalog, ambient }: Stores<'deletions' | 'transactions'> & Pick<CommitServices, 'ambient'>,
  { beforeMs, dueAtMs }: { readonly beforeMs: number; readonly dueAtMs: number },
): Promise<void> {
  for (let after = ''; ; ) {
    const ids = await catalog.transactions.listExpired({ beforeMs, after, limit: EXPIRED_AT_ONCE })
    for (const transactionId of ids) {
      const staged = await catalog.transactions.listStaged(transactionId)
      const mark = ambient.newUuid()
      await catalog.deletions.add(deletionsOfUploads(staged, { mark, dueAtMs }))
    }
    const last = ids.at(-1)
    if (last === undefined) return
    after = last
  }
}

export function newTransaction(
  deps: Pick<CommitServices, 'ambient'>,
  request: StartRequest,
): Transaction {
  const seconds = request.expiresInSeconds ?? TRANSACTION_LIFETIME_SECONDS_DEFAULT
  if (!(seconds > 0 && seconds <= TRANSACTION_LIFETIME_SECONDS_MAX)) {
    throw new CatalogError('request-invalid', 'a transaction lives from 1 second up to a week', {
      facts: { secondsMax: TRANSACTION_LIFETIME_SECONDS_MAX },
    })
  }
  const createdAtMs = deps.ambient.nowMs()
  return {
    transactionId: deps.ambient.newUuid(),
    state: 'open',
    isolation: request.isolation ?? 'snapshot',
    author: request.author ?? null,
    message: request.message ?? null,
    createdAtMs,
    expiresAtMs: createdAtMs + seconds * 1000,
    endedAtMs: null,
    revision: 0,
    results: [],
  }
}

async function commitCounted(
  deps: Pick<CommitDependencies, 'commits' | 'meter'>,
  pending: PendingTransaction,
): Promise<readonly TableCommitResult[]> {
  try {
    const results = await deps.commits.commit(pending)
    deps.meter.committed(1)
    return results
  } catch (error) {
    deps.meter.commitRefused(error instanceof CatalogError ? error.code : 'internal')
    throw error
  }
}

function emptyChange(state: TableState): StagedChange {
  return {
    tableUuid: state.definition.tableUuid,
    baseSnapshotId: state.currentSnapshot?.snapshotId ?? null,
    truncate: false,
    removedPaths: [],
    addedFiles: [],
  }
}

function isChange(change: StagedChange): boolean {
  return change.truncate || change.removedPaths.length > 0 || change.addedFiles.length > 0
}
