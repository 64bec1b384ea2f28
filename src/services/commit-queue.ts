import { CatalogError } from '../core/errors.ts'
import type { TableCommitResult } from '../core/transaction.ts'
import type { BatchOutcome, PendingTransaction } from './commit.ts'
import { COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX } from './limits.ts'

type Results = readonly TableCommitResult[]
type CommitBatch = (batch: readonly PendingTransaction[]) => Promise<BatchOutcome>

/** Appends that will be committed together; open to more until its turn comes. */
interface OpenBatch {
  readonly members: PendingTransaction[]
  readonly outcome: Promise<BatchOutcome>
}

/**
 * The commits of one process, in order of arrival on each table, so that they do not race each other.
 * Appends that wait for the same table are joined into one batch; all else goes alone. Tables share nothing:
 * a transaction over several takes its turn on each, in the order of their ids, so that no two wait for each other.
 */
export class CommitQueue {
  readonly #commitBatch: CommitBatch
  readonly #batchMax: number
  /** Resolves when the last in line of a table is done. */
  readonly #lines = new Map<string, Promise<void>>()
  readonly #openBatches = new Map<string, OpenBatch>()
  readonly #waiting = new Map<string, number>()

  constructor(commitBatch: CommitBatch, batchMax = COMMIT_BATCH_MAX) {
    this.#commitBatch = commitBatch
    this.#batchMax = batchMax
  }

  /** Resolves when the commit is durable; `overloaded` when too many wait for a table already. */
  async commit(pending: PendingTransaction): Promise<Results> {
    const tableUuids = inOrder(pending.changes.map((change) => change.tableUuid))
    const outcome = await this.#counted(tableUuids, () => this.#commitInTurn(pending, tableUuids))
    const result = outcome.get(pending.transaction.transactionId)
    if (result instanceof Error) throw result
    if (result === undefined) throw new Error('a commit ended without an outcome')
    return result
  }

  /** Any other change of these tables, in their turn among the commits; `overloaded` as `commit`. */
  inTurns<T>(tableUuids: readonly string[], work: () => Promise<T>): Promise<T> {
    const ordered = inOrder(tableUuids)
    return this.#counted(ordered, () => this.#inTurns(ordered, work))
  }

  async #counted<T>(tableUuids: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const tableUuid of tableUuids) this.#refuseWhenFull(tableUuid)
    for (const tableUuid of tableUuids) this.#count(tableUuid, 1)
    try {
      return await work()
    } finally {
      for (const tableUuid of tableUuids) this.#count(tableUuid, -1)
    }
  }

  #commitInTurn(pending: PendingTransaction, tableUuids: readonly string[]): Promise<BatchOutcome> {
    const [only, ...others] = tableUuids
    if (only !== undefined && others.length === 0 && onlyAppends(pending)) {
      return this.#join(only, pending)
    }
    return this.#inTurns(tableUuids, () => this.#commitBatch([pending]))
  }

  #join(tableUuid: string, pending: PendingTransaction): Promise<BatchOutcome> {
    const open = this.#openBatches.get(tableUuid)
    if (open !== undefined && open.members.length < this.#batchMax) {
      open.members.push(pending)
      return open.outcome
    }
    const members = [pending]
    const outcome = this.#inTurns([tableUuid], () => {
      if (this.#openBatches.get(tableUuid)?.members === members) this.#openBatches.delete(tableUuid)
      return this.#commitBatch(members)
    })
    this.#openBatches.set(tableUuid, { members, outcome })
    return outcome
  }

  async #inTurns<T>(tableUuids: readonly string[], work: () => Promise<T>): Promise<T> {
    const [first, ...others] = tableUuids
    if (first === undefined) return work()
    return this.#inTurn(first, () => this.#inTurns(others, work))
  }

  async #inTurn<T>(tableUuid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lines.get(tableUuid) ?? Promise.resolve()
    const done = before.then(work)
    const settled = done.then(
      () => undefined,
      () => undefined,
    )
    this.#lines.set(tableUuid, settled)
    try {
      return await done
    } finally {
      if (this.#lines.get(tableUuid) === settled) this.#lines.delete(tableUuid)
    }
  }

  #refuseWhenFull(tableUuid: string): void {
    if ((this.#waiting.get(tableUuid) ?? 0) < COMMIT_QUEUE_MAX) return
    throw new CatalogError('overloaded', 'too many commits wait for this table: try again soon', {
      facts: { tableUuid, waitingMax: COMMIT_QUEUE_MAX, retryAfterSeconds: 1 },
    })
  }

  #count(tableUuid: string, difference: number): void {
    const count = (this.#waiting.get(tableUuid) ?? 0) + difference
    if (count === 0) this.#waiting.delete(tableUuid)
    else this.#waiting.set(tableUuid, count)
  }
}

function inOrder(tableUuids: readonly string[]): readonly string[] {
  return [...new Set(tableUuids)].sort()
}

function onlyAppends({ changes }: PendingTransaction): boolean {
  return changes.every((change) => !change.truncate && change.removedPaths.length === 0)
}
