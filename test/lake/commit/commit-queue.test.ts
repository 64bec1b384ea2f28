import { copyFile } from 'node:fs/promises'
import type { CatalogError } from '../../../src/core/errors.ts'
import { COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX } from '../../../src/core/limits.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import type { StagedFile, TableCommitResult } from '../../../src/core/table/transaction.ts'
import { commitBatch } from '../../../src/lake/commit/commit-batch.ts'
import {
  type CommitQueue,
  onlyAppends,
  type PendingTransaction,
} from '../../../src/lake/commit/commit-queue.ts'
import {
  abortTransaction,
  commitInspected,
  commitTransaction,
  newTransaction,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import type { LakeServices } from '../../../src/lake/lake.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { queueOf } from '../compose.ts'
import { Lake, liveNames } from '../lake.ts'
import { commitFiles, inspectFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
let state: TableState
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  state = await createTable(shop.deps, { name: 'numbers', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

/** The queue over the real commit, which records its batches and how many have arrived. */
function watchedQueue() {
  const batches: (readonly PendingTransaction[])[] = []
  const queue = queueOf((batch) => {
    batches.push(batch)
    return commitBatch(shop.deps, batch)
  }, shop.deps.ambient.sleep)
  const seen = { batches, arrived: 0 }
  const commits = new Proxy(queue, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (name === 'commit') seen.arrived++
        return member.apply(target, given)
      }
    },
  })
  const deps: LakeServices = { ...shop.deps, commits }
  return { deps, queue, seen }
}

/** Holds the turn of the table until it is let go. */
function hold(queue: CommitQueue): () => void {
  let letGo: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  void queue.inTurns([state.definition.tableUuid], () => held)
  return letGo
}

async function untilArrived(seen: { readonly arrived: number }, count: number): Promise<void> {
  while (seen.arrived < count) await new Promise((resolve) => setTimeout(resolve, 1))
}

async function inspectedFiles(count: number): Promise<readonly StagedFile[]> {
  const first = await lake.numbers(shop, 'f0', 0, 10)
  const paths = [first]
  for (let i = 1; i < count; i++) {
    const path = `${shop.dataFolder}/f${i}.parquet`
    await copyFile(first, path)
    paths.push(path)
  }
  return inspectFiles(shop.deps, state, { paths })
}

function append(deps: LakeServices, file: StagedFile): Promise<readonly TableCommitResult[]> {
  return commitInspected(deps, state, { transaction: newTransaction(deps, {}), files: [file] })
}

function truncate({ commits, ...deps }: LakeServices): Promise<readonly TableCommitResult[]> {
  const { tableUuid } = state.definition
  return commits.commit({
    transaction: newTransaction(deps, { isolation: 'overwrite' }),
    isNew: true,
    changes: [
      { tableUuid, baseSnapshotId: null, truncate: true, removedPaths: [], addedFiles: [] },
    ],
  })
}

test('a truncation in a flood of appends waits for one batch more at most', async () => {
  const files = await inspectedFiles(330)
  const { deps, seen } = watchedQueue()
  const before = 100
  const left = [...files]
  const take = () => left.shift() as StagedFile
  const first = Array.from({ length: before }, () => append(deps, take()))
  const truncation = truncate(deps)
  // Clients that never stop: each has the next append ready when one is answered.
  const flood = Array.from({ length: 100 }, async () => {
    while (left.length > 0) await append(deps, take())
  })
  await Promise.all([...first, truncation, ...flood])
  const isTruncation = (batch: readonly PendingTransaction[]) =>
    batch.some(({ changes }) => changes.some((change) => change.truncate))
  const place = seen.batches.findIndex(isTruncation)
  expect(place).toBeLessThanOrEqual(Math.ceil(before / COMMIT_BATCH_MAX) + 1)
  expect(seen.batches[place]?.length).toBe(1)
  expect(place).toBeLessThan(seen.batches.length - 1)
  for (const batch of seen.batches) expect(batch.length).toBeLessThanOrEqual(COMMIT_BATCH_MAX)
  const [result] = await truncation
  const { plan } = await readTable(shop.deps, { table: 'numbers' })
  expect(plan.totals.dataFiles).toBe(files.length - (result?.removedDataFiles ?? 0))
  expect(result?.removedDataFiles).toBeGreaterThanOrEqual(before)
})

test('each bad transaction of a batch fails alone; the others share a snapshot', async () => {
  const { deps, queue, seen } = watchedQueue()
  const staged = async (name: string, count: number, expiresInSeconds = 3600) => {
    const { transactionId } = await startTransaction(deps, { expiresInSeconds })
    const paths = [await lake.numbers(shop, name, 0, count)]
    await stageFiles(deps, { table: 'numbers', transactionId, paths })
    return { transactionId, path: paths[0] as string }
  }
  const good = [await staged('good-3', 3), await staged('good-7', 7)]
  const late = await staged('late', 1, 10)
  const aborted = await staged('aborted', 1)
  const grown = await staged('grown', 1)
  const twin = await lake.numbers(shop, 'twin', 0, 5)

  const letGo = hold(queue)
  const outcomeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'committed',
      (error: CatalogError) => error.code,
    )
  const commit = ({ transactionId }: { readonly transactionId: string }) =>
    commitTransaction(deps, transactionId)
  const answers = Promise.all(good.map(commit))
  const again = commit(good[0] as { transactionId: string })
  const twins = Promise.all(
    [0, 1].map(() => outcomeOf(commitFiles(deps, { table: 'numbers', paths: [twin] }))),
  )
  const refused = Promise.all([late, aborted, grown].map((t) => outcomeOf(commit(t))))
  await untilArrived(seen, 8)
  await abortTransaction({ ...deps, deleteGraceMs: 0 }, aborted.transactionId)
  const paths = [await lake.numbers(shop, 'more', 0, 1)]
  await stageFiles(deps, { table: 'numbers', transactionId: grown.transactionId, paths })
  shop.setClock(START_MS + 60_000)
  letGo()

  expect(await refused).toEqual(['transaction-expired', 'transaction-aborted', 'commit-conflict'])
  expect((await twins).sort()).toEqual(['committed', 'file-already-in-table'])
  const [[three], [seven]] = (await answers) as [TableCommitResult[], TableCommitResult[]]
  expect([three?.addedRecords, seven?.addedRecords]).toEqual([3, 7])
  expect([three?.addedDataFiles, seven?.addedDataFiles]).toEqual([1, 1])
  expect(seven?.snapshotId).toBe(three?.snapshotId)
  expect(await again).toEqual((await answers)[0])
  expect(await liveNames(shop, 'numbers')).toEqual(['good-3', 'good-7', 'twin'])
  expect(seen.batches[0]?.length).toBe(8)
  // What was staged in between is not lost: it is committed with the rest on the next attempt.
  await commit(grown)
  expect(await liveNames(shop, 'numbers')).toContain('more')
})

test('one whose file no longer fits the schema fails alone, too', async () => {
  const { deps, queue, seen } = watchedQueue()
  const paths = [await lake.numbers(shop, 'a'), await lake.numbers(shop, 'b', 10)] as const
  const { transactionId } = await startTransaction(deps, {})
  await stageFiles(deps, { table: 'numbers', transactionId, paths: [paths[0]] })
  const letGo = hold(queue)
  const refused = refusal(commitTransaction(deps, transactionId))
  await untilArrived(seen, 1)
  await evolveTable(shop.deps, 'numbers', {
    changes: [
      { op: 'drop', name: 'n' },
      { op: 'add', column: { name: 'n', type: 'date' } },
    ],
  })
  const dates = await lake.write(
    `${shop.dataFolder}/dates.parquet`,
    `SELECT DATE '2024-03-17' AS n`,
  )
  const committed = commitFiles(deps, { table: 'numbers', paths: [dates] })
  await untilArrived(seen, 2)
  letGo()
  expect((await refused).code).toBe('file-schema-mismatch')
  expect((await committed).results[0]).toMatchObject({ addedDataFiles: 1, addedRecords: 1 })
  expect(await liveNames(shop, 'numbers')).toEqual(['dates'])
})

test('transactions over two tables in opposite order neither deadlock nor tear', async () => {
  await createTable(shop.deps, { name: 'more', columns: [{ name: 'n', type: 'long' }] })
  const processes = [shop.deps, await shop.another()]
  const first = await lake.numbers(shop, 'f', 0, 1)
  const commits = Array.from({ length: 24 }, async (_, i) => {
    const deps = processes[i % 2] as LakeServices
    const path = `${shop.dataFolder}/f${i}.parquet`
    await copyFile(first, path)
    const { transactionId } = await startTransaction(deps, {})
    const tables = i % 4 < 2 ? ['numbers', 'more'] : ['more', 'numbers']
    for (const table of tables) await stageFiles(deps, { table, transactionId, paths: [path] })
    return commitTransaction(deps, transactionId)
  })
  const results = await Promise.all(commits)
  const orderOf = (table: string) =>
    results
      .map((tables, index) => ({
        index,
        at: tables.find((result) => result.table === `default.${table}`)?.sequenceNumber ?? 0n,
      }))
      .sort((x, y) => Number(x.at - y.at))
      .map(({ index }) => index)
  expect(results.map((tables) => tables.length)).toEqual(results.map(() => 2))
  expect(orderOf('numbers')).toEqual(orderOf('more'))
  expect(await liveNames(shop, 'more')).toEqual(await liveNames(shop, 'numbers'))
  expect((await liveNames(shop, 'more')).length).toBe(24)
})

test('a full queue refuses what comes next, leaving nothing, until it has room', async () => {
  const [file, other] = (await inspectedFiles(2)) as [StagedFile, StagedFile]
  const { deps, queue } = watchedQueue()
  const letGo = hold(queue)
  const outcomes = Array.from({ length: COMMIT_QUEUE_MAX - 1 }, () =>
    append(deps, file).then(
      () => 'committed',
      (error: CatalogError) => error.code,
    ),
  )
  const error = await refusal(append(deps, other))
  expect(error).toMatchObject({ code: 'overloaded', facts: { retryAfterSeconds: 1 } })
  // Neither does a truncation get in, nor what has several tables.
  expect((await refusal(truncate(deps))).code).toBe('overloaded')
  letGo()
  const counts = new Map<string, number>()
  for (const outcome of await Promise.all(outcomes)) {
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  expect([...counts]).toEqual([
    ['committed', 1],
    ['file-already-in-table', COMMIT_QUEUE_MAX - 2],
  ])
  expect(await liveNames(shop, 'numbers')).toEqual(['f0'])
  await append(deps, other)
  expect(await liveNames(shop, 'numbers')).toEqual(['f0', 'f1'])
})

test('what removes a file or truncates joins no batch of appends', () => {
  const { tableUuid } = state.definition
  const none = {
    tableUuid,
    baseSnapshotId: null,
    truncate: false,
    removedPaths: [],
    addedFiles: [],
  }
  const appends = (...changes: (typeof none)[]) =>
    onlyAppends({ changes } as unknown as PendingTransaction)
  expect(appends(none)).toBe(true)
  expect(appends(none, { ...none, removedPaths: ['file:///a'] } as never)).toBe(false)
  expect(appends({ ...none, truncate: true }, none)).toBe(false)
})
