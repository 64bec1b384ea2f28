import { setTimeout as pause } from 'node:timers/promises'
import type { Transaction } from '../../../src/core/table/transaction.ts'
import type { CommitQueue, PendingTransaction } from '../../../src/lake/commit/commit-queue.ts'
import { queueOf } from '../compose.ts'

const BATCH_MS = 20

/** A queue whose batches take a while and change nothing, and what became of it. */
function slowQueue() {
  const seen = { batches: [] as number[], sleeps: 0 }
  const queue = queueOf(
    async (batch) => {
      seen.batches.push(batch.length)
      await pause(BATCH_MS)
      return new Map(batch.map(({ transaction }) => [transaction.transactionId, []]))
    },
    (ms) => {
      seen.sleeps++
      return pause(ms)
    },
  )
  return { queue, seen }
}

let transactions = 0
function append(): PendingTransaction {
  const transactionId = `transaction-${++transactions}`
  return {
    transaction: { transactionId } as Transaction,
    isNew: true,
    changes: [
      {
        tableUuid: 'table',
        baseSnapshotId: null,
        truncate: false,
        removedPaths: [],
        addedFiles: [],
      },
    ],
  }
}

async function commitAgainAndAgain(queue: CommitQueue, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) await queue.commit(append())
}

test('callers who come back at once share batches, none goes ahead alone', async () => {
  const { queue, seen } = slowQueue()
  await Promise.all(Array.from({ length: 16 }, () => commitAgainAndAgain(queue, 10)))
  // Without waiting, rounds would be a batch of 1 and one of 15.
  expect(seen.batches).toEqual(Array.from({ length: 10 }, () => 16))
})

test('a table with one caller never waits', async () => {
  const { queue, seen } = slowQueue()
  await commitAgainAndAgain(queue, 10)
  expect(seen).toEqual({ batches: Array.from({ length: 10 }, () => 1), sleeps: 0 })
})

test('those who do not come back are waited for once', async () => {
  const { queue, seen } = slowQueue()
  await Promise.all(Array.from({ length: 16 }, () => queue.commit(append())))
  await commitAgainAndAgain(queue, 3)
  expect(seen.batches).toEqual([16, 1, 1, 1])
  expect(seen.sleeps).toBeLessThanOrEqual(2)
})
