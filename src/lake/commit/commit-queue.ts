import { CatalogError } from '../../core/errors.ts'
import { COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX } from '../../core/limits.ts'
import type { Keep } from '../../core/replay.ts'
import type { StagedChange, TableCommitResult, Transaction } from '../../core/table/transaction.ts'
import type { SharedTurn, SharedTurns } from './shared-turns.ts'

/** A transaction that waits for its turn. */
export interface PendingTransaction {
  readonly transaction: Transaction
  /** Not in the catalog yet: it is started and committed in one step. */
  readonly isNew: boolean
  readonly changes: readonly StagedChange[]
  readonly keep?: Keep<readonly TableCommitResult[]> | undefined
}

/** What became of each transaction of a batch, by transaction id. */
export type BatchOutcome = ReadonlyMap<string, readonly TableCommitResult[] | Error>

type Results = readonly TableCommitResult[]
export type CommitBatch = (
  batch: readonly PendingTransaction[],
  turn: SharedTurn,
) => Promise<BatchOutcome>

/** Appends that will be committed together; open to more until its turn comes. */
interface OpenBatch {
  readonly members: PendingTransaction[]
  readonly outcome: Promise<BatchOutcome>
}

/**
 * How long a batch waits, as fractions of the last batch's duration: for the next append, and in
 * total.
 */
const QUIET_SHARE = 1 / 8
const GATHER_SHARE = 1 / 3
const QUIET_MS_MAX = 10
const GATHER_MS_MAX = 50
/** Tables whose last batch is remembered. */
const LAST_BATCHES_MAX = 10_000

export interface CommitQueueOptions {
  readonly turns: SharedTurns
  readonly batchMax?: number
  /** Without it no batch waits for more members. */
  readonly sleep?: (ms: number) => Promise<void>
}

interface LastBatch {
  readonly tookMs: number
  readonly endedAtMs: number
  /** Those whom it answered, and those who waited while it was committed. */
  readonly callers: number
}

/**
 * The commits of one process, in order of arrival on each table, so that they do not race each
 * other. Appends that wait for the same table are joined into one batch; all else goes alone.
 * Tables share nothing: a transaction over several takes its turn on each, in the order of their
 * ids, so that no two wait for each other.
 *
 * Those whom a batch has just answered come back soon, and the first of them would go alone while
 * the others wait. So a batch that follows another of several waits a little for as many, as long
 * as they keep joining. A table with one client never waits.
 */
export class CommitQueue {
  readonly #commitBatch: CommitBatch
  readonly #turns: SharedTurns
  readonly #batchMax: number
  readonly #sleep: CommitQueueOptions['sleep']
  /** Resolves when the last in line of a table is done. */
  readonly #lines = new Map<string, Promise<void>>()
  readonly #openBatches = new Map<string, OpenBatch>()
  readonly #waiting = new Map<string, number>()
  readonly #lastBatches = new Map<string, LastBatch>()

  constructor(commitBatch: CommitBatch, { turns, batchMax, sleep }: CommitQueueOptions) {
    this.#commitBatch = commitBatch
    this.#turns = turns
    this.#batchMax = batchMax ?? COMMIT_BATCH_MAX
    this.#sleep = sleep
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

  /**
   * Any other change of these tables or views, by UUID, in turn among the commits; `overloaded` as
   * `commit`.
   */
  inTurns<T>(tableUuids: readonly string[], work: (turn: SharedTurn) => Promise<T>): Promise<T> {
    const ordered = inOrder(tableUuids)
    return this.#counted(ordered, () => this.#inSharedTurn(ordered, work))
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
    return this.#inSharedTurn(tableUuids, (turn) => this.#commitBatch([pending], turn))
  }

  #join(tableUuid: string, pending: PendingTransaction): Promise<BatchOutcome> {
    const open = this.#openBatches.get(tableUuid)
    if (open !== undefined && open.members.length < this.#batchMax) {
      open.members.push(pending)
      return open.outcome
    }
    const members = [pending]
    const outcome = this.#inSharedTurn([tableUuid], async (turn) => {
      // Whoever came while the turn was waited for is a member; other processes wait for its end.
      if (!turn.isHeld) await this.#gather(tableUuid, members)
      if (this.#openBatches.get(tableUuid)?.members === members) this.#openBatches.delete(tableUuid)
      const beganAtMs = performance.now()
      try {
        return await this.#commitBatch(members, turn)
      } finally {
        this.#remember(tableUuid, { members, beganAtMs })
      }
    })
    this.#openBatches.set(tableUuid, { members, outcome })
    return outcome
  }

  async #gather(tableUuid: string, members: readonly PendingTransaction[]): Promise<void> {
    const last = this.#lastBatches.get(tableUuid)
    if (last === undefined || last.callers === 1 || this.#sleep === undefined) return
    const quietMs = Math.min(last.tookMs * QUIET_SHARE, QUIET_MS_MAX)
    const gatherMs = Math.min(last.tookMs * GATHER_SHARE, GATHER_MS_MAX)
    const nowMs = performance.now()
    if (nowMs - last.endedAtMs > gatherMs) return
    const endMs = nowMs + gatherMs
    const expected = Math.min(last.callers, this.#batchMax)
    for (let count = 0; count < members.length && members.length < expected; ) {
      if (performance.now() >= endMs) return
      count = members.length
      await this.#sleep(quietMs)
    }
  }

  #remember(
    tableUuid: string,
    { members, beganAtMs }: { members: readonly PendingTransaction[]; beganAtMs: number },
  ): void {
    const endedAtMs = performance.now()
    const waiting = this.#openBatches.get(tableUuid)?.members.length ?? 0
    const last = { tookMs: endedAtMs - beganAtMs, endedAtMs, callers: members.length + waiting }
    this.#lastBatches.delete(tableUuid)
    this.#lastBatches.set(tableUuid, last)
    for (const oldest of this.#lastBatches.keys()) {
      if (this.#lastBatches.size <= LAST_BATCHES_MAX) return
      this.#lastBatches.delete(oldest)
    }
  }

  /** In turn among the changes of this process, then among those of all where they meet. */
  #inSharedTurn<T>(
    tableUuids: readonly string[],
    work: (turn: SharedTurn) => Promise<T>,
  ): Promise<T> {
    return this.#inTurns(tableUuids, async () => {
      const turn = this.#turns.at(tableUuids)
      try {
        await turn.begin()
        return await work(turn)
      } finally {
        await turn.end()
      }
    })
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
    throw new CatalogError(
      'overloaded',
      'too many changes wait for this table or view: try again soon',
      {
        facts: { tableUuid, waitingMax: COMMIT_QUEUE_MAX, retryAfterSeconds: 1 },
      },
    )
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

/** Whether it commutes with every other commit that does no more. */
export function onlyAppends({ changes }: PendingTransaction): boolean {
  return changes.every((change) => !change.truncate && change.removedPaths.length === 0)
}
