import type { CatalogError } from '../../../src/core/errors.ts'
import { stageRemoval, stageTruncation } from '../../../src/lake/commit/staging.ts'
import {
  abortTransaction,
  commitTransaction,
  startTransaction,
  viewTransaction,
} from '../../../src/lake/commit/transactions.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { logOf } from '../../catalog/catalog-samples.ts'
import { writeParquet } from '../../parquet-files.ts'
import { refusal } from '../../refusal.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, START_MS, type Workshop } from '../workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, {
    name: 'numbers',
    columns: [{ name: 'n', type: 'long' }],
  })
})
afterEach(() => shop.close())

/** A file of the numbers from `first`, `count` of them. */
function numbers(name: string, first: number, count = 10): Promise<string> {
  const path = `${shop.dataFolder}/${name}.parquet`
  return writeParquet(path, `SELECT (${first} + range)::BIGINT AS n FROM range(${count})`)
}

async function start(isolation: 'snapshot' | 'overwrite' = 'snapshot'): Promise<string> {
  return (await startTransaction(shop.deps, { isolation })).transactionId
}

async function stage(transactionId: string, ...paths: string[]): Promise<void> {
  await stageFiles(shop.deps, { table: 'numbers', transactionId, paths })
}

async function liveFiles(asAtMs?: number): Promise<string[]> {
  const moment = asAtMs === undefined ? {} : { asAtMs }
  const { plan } = await readTable(shop.deps, { table: 'numbers', ...moment })
  return [...plan.plannedFiles()].map((file) => nameOf(file.dataFile.path)).sort()
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'))
}

test('a transaction adds its files in one snapshot, with its counts and its name', async () => {
  const transactionId = await start()
  await stage(transactionId, await numbers('a', 0), await numbers('b', 10, 5))
  const [result] = await commitTransaction(shop.deps, transactionId)
  expect(result).toMatchObject({
    table: 'default.numbers',
    operation: 'append',
    parentSnapshotId: null,
    sequenceNumber: 1n,
    addedDataFiles: 2,
    addedRecords: 15,
    removedDataFiles: 0,
  })
  const { snapshot, plan } = await readTable(shop.deps, { table: 'numbers' })
  expect(snapshot?.summary).toMatchObject({
    'added-data-files': '2',
    'added-records': '15',
    'total-data-files': '2',
    'total-records': '15',
    'total-delete-files': '0',
    'moraine.transaction-ids': transactionId,
  })
  expect(plan.totals).toMatchObject({ dataFiles: 2, records: 15 })
})

test('two transactions that only add both succeed, in either order', async () => {
  const [first, second] = [await start(), await start()]
  await stage(first, await numbers('a', 0))
  await stage(second, await numbers('b', 10))
  await commitTransaction(shop.deps, second)
  await commitTransaction(shop.deps, first)
  expect(await liveFiles()).toEqual(['a', 'b'])
})

test('committing twice returns the first result again and adds nothing', async () => {
  const transactionId = await start()
  await stage(transactionId, await numbers('a', 0))
  const first = await commitTransaction(shop.deps, transactionId)
  expect(await commitTransaction(shop.deps, transactionId)).toEqual(first)
  const { snapshot } = await readTable(shop.deps, { table: 'numbers' })
  expect(snapshot?.sequenceNumber).toBe(1n)
})

test('two commits of one transaction at once give one snapshot and one answer', async () => {
  const transactionId = await start()
  await stage(transactionId, await numbers('a', 0))
  const another = await shop.another()
  const answers = await Promise.all([
    commitTransaction(shop.deps, transactionId),
    commitTransaction(another, transactionId),
    commitTransaction(shop.deps, transactionId),
  ])
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
  expect(await shop.deps.catalog.snapshots.list(answers[0]?.[0]?.tableUuid ?? '')).toHaveLength(1)
})

test('a truncation replaces what the table has by what the transaction adds', async () => {
  await commitFiles(shop.deps, { table: 'numbers', paths: [await numbers('old', 0)] })
  const transactionId = await start()
  await stageTruncation(shop.deps, { table: 'numbers', transactionId })
  await stage(transactionId, await numbers('new', 100, 3))
  const [result] = await commitTransaction(shop.deps, transactionId)
  expect(result).toMatchObject({ operation: 'overwrite', removedDataFiles: 1, removedRecords: 10 })
  expect(await liveFiles()).toEqual(['new'])
})

test('a truncation conflicts with any commit since the transaction’s base', async () => {
  await commitFiles(shop.deps, { table: 'numbers', paths: [await numbers('old', 0)] })
  const transactionId = await start()
  await stageTruncation(shop.deps, { table: 'numbers', transactionId })
  const other = await commitFiles(shop.deps, { table: 'numbers', paths: [await numbers('b', 10)] })
  const error = await refusal(commitTransaction(shop.deps, transactionId))
  expect(error.code).toBe('commit-conflict')
  expect(error.facts['currentSnapshotId']).toBe(String(other.results[0]?.snapshotId))
  expect(error.facts['baseSnapshotId']).toBe(String(other.results[0]?.parentSnapshotId))
  expect(await liveFiles()).toEqual(['b', 'old'])
})

test('with isolation overwrite a truncation takes whatever the table has at commit', async () => {
  await commitFiles(shop.deps, { table: 'numbers', paths: [await numbers('old', 0)] })
  const transactionId = await start('overwrite')
  await stageTruncation(shop.deps, { table: 'numbers', transactionId })
  await commitFiles(shop.deps, { table: 'numbers', paths: [await numbers('b', 10)] })
  expect((await commitTransaction(shop.deps, transactionId))[0]?.removedDataFiles).toBe(2)
  expect(await liveFiles()).toEqual([])
})

test('a removal takes exactly the named files, and the past keeps them', async () => {
  const paths = [await numbers('a', 0), await numbers('b', 10), await numbers('c', 20)]
  await commitFiles(shop.deps, { table: 'numbers', paths })
  const before = (await readTable(shop.deps, { table: 'numbers' })).snapshot
  const transactionId = await start()
  await stageRemoval(shop.deps, { table: 'numbers', transactionId, paths: [paths[1] as string] })
  const [result] = await commitTransaction(shop.deps, transactionId)
  expect(result).toMatchObject({ operation: 'delete', removedDataFiles: 1, removedRecords: 10 })
  expect(await liveFiles()).toEqual(['a', 'c'])
  expect(await liveFiles(before?.timestampMs)).toEqual(['a', 'b', 'c'])
})

test('removing a file that the table has not is refused by name', async () => {
  const transactionId = await start()
  const path = await numbers('stranger', 0)
  const attempt = stageRemoval(shop.deps, { table: 'numbers', transactionId, paths: [path] })
  expect(await refusal(attempt)).toMatchObject({ code: 'file-not-in-table' })
})

test('a file that is truncated away and added again in one transaction simply stays', async () => {
  const kept = await numbers('kept', 0)
  await commitFiles(shop.deps, { table: 'numbers', paths: [kept, await numbers('gone', 10)] })
  const transactionId = await start()
  await stageTruncation(shop.deps, { table: 'numbers', transactionId })
  await stage(transactionId, kept)
  const [result] = await commitTransaction(shop.deps, transactionId)
  expect(result).toMatchObject({ addedDataFiles: 0, removedDataFiles: 1 })
  expect(await liveFiles()).toEqual(['kept'])
})

test('a file is in a table once, whether staged twice, live, or added by two', async () => {
  const [a, b] = [await numbers('a', 0), await numbers('b', 10)]
  await commitFiles(shop.deps, { table: 'numbers', paths: [a] })
  const [first, second] = [await start(), await start()]
  expect((await refusal(stage(first, a))).code).toBe('file-already-in-table')
  expect((await refusal(stage(first, b, b))).code).toBe('file-already-in-table')
  await stage(first, b)
  expect((await refusal(stage(first, `file://${b}`))).code).toBe('file-already-in-table')
  await stage(second, b)
  await commitTransaction(shop.deps, first)
  expect((await refusal(commitTransaction(shop.deps, second))).code).toBe('file-already-in-table')
  expect(await liveFiles()).toEqual(['a', 'b'])
})

test('a removed file may come back', async () => {
  const a = await numbers('a', 0)
  await commitFiles(shop.deps, { table: 'numbers', paths: [a] })
  const removal = await start()
  await stageRemoval(shop.deps, { table: 'numbers', transactionId: removal, paths: [a] })
  await commitTransaction(shop.deps, removal)
  await commitFiles(shop.deps, { table: 'numbers', paths: [a] })
  expect(await liveFiles()).toEqual(['a'])
})

test('an expired transaction is refused, and one that was aborted', async () => {
  const [late, given] = [await start(), await start()]
  await stage(late, await numbers('a', 0))
  await abortTransaction(shop.deps, given)
  shop.setClock(START_MS + 3600 * 1000)
  expect((await refusal(commitTransaction(shop.deps, late))).code).toBe('transaction-expired')
  expect((await viewTransaction(shop.deps, late)).state).toBe('expired')
  expect((await refusal(commitTransaction(shop.deps, given))).code).toBe('transaction-aborted')
  expect((await refusal(stage(given, await numbers('b', 0)))).code).toBe('transaction-aborted')
  expect(await liveFiles()).toEqual([])
})

test('a transaction over two tables changes both or neither', async () => {
  await createTable(shop.deps, { name: 'more', columns: [{ name: 'n', type: 'long' }] })
  const a = await numbers('a', 0)
  const transactionId = await start()
  await stage(transactionId, a)
  await stageFiles(shop.deps, { table: 'more', transactionId, paths: [a] })
  await commitFiles(shop.deps, { table: 'more', paths: [a] })
  expect((await refusal(commitTransaction(shop.deps, transactionId))).code).toBe(
    'file-already-in-table',
  )
  expect(await liveFiles()).toEqual([])
  const both = await start()
  const b = await numbers('b', 10)
  await stage(both, b)
  await stageFiles(shop.deps, { table: 'more', transactionId: both, paths: [b] })
  const results = await commitTransaction(shop.deps, both)
  expect(results.map((result) => result.table)).toEqual(['default.numbers', 'default.more'])
  expect(await liveFiles()).toEqual(['b'])
})

test('times of snapshots grow whatever the clock does: as_at is never ambiguous', async () => {
  for (const [index, jumpMs] of [0, -5000, 0, 1].entries()) {
    shop.setClock(START_MS + jumpMs)
    await commitFiles(shop.deps, {
      table: 'numbers',
      paths: [await numbers(`f${index}`, index * 10)],
    })
  }
  const { state } = await readTable(shop.deps, { table: 'numbers' })
  const log = await logOf(shop.deps.catalog, state.definition.tableUuid)
  const times = log.map((entry) => entry.timestampMs)
  expect(times).toEqual([...new Set(times)].sort((x, y) => x - y))
  expect(await liveFiles(times[1])).toEqual(['f0', 'f1'])
})

test('a file of another schema is refused when staged, and read again at commit', async () => {
  const text = await writeParquet(`${shop.dataFolder}/text.parquet`, `SELECT 'x' AS n`)
  const transactionId = await start()
  const error = await refusal(stage(transactionId, text))
  expect(error.code).toBe('file-schema-mismatch')
  expect(error.message).toContain('n')
})

test('appends that wait for one table share a snapshot, each with its own counts', async () => {
  const paths = await Promise.all(
    Array.from({ length: 12 }, (_, i) => numbers(`f${i}`, i * 10, i + 1)),
  )
  const answers = await Promise.all(
    paths.map((path) => commitFiles(shop.deps, { table: 'numbers', paths: [path] })),
  )
  expect(answers.map(({ results }) => results[0]?.addedRecords)).toEqual(paths.map((_, i) => i + 1))
  const { state, plan } = await readTable(shop.deps, { table: 'numbers' })
  expect(plan.totals).toMatchObject({ dataFiles: 12, records: 78 })
  const snapshots = await shop.deps.catalog.snapshots.list(state.definition.tableUuid)
  expect(snapshots.length).toBeLessThan(12)
  const ids = snapshots.flatMap((s) => s.summary['moraine.transaction-ids']?.split(','))
  expect(ids.sort()).toEqual(answers.map((answer) => answer.transactionId).sort())
})

test('of appends in one batch a bad one is refused alone', async () => {
  const a = await numbers('a', 0)
  const attempts = [a, await numbers('b', 10), a, await numbers('c', 20)].map((path) =>
    commitFiles(shop.deps, { table: 'numbers', paths: [path] }).then(
      () => 'committed',
      (error: CatalogError) => error.code,
    ),
  )
  expect((await Promise.all(attempts)).sort()).toEqual([
    'committed',
    'committed',
    'committed',
    'file-already-in-table',
  ])
  expect(await liveFiles()).toEqual(['a', 'b', 'c'])
})

test('two processes that append to one table lose nothing', async () => {
  const another = await shop.another()
  const paths = await Promise.all(Array.from({ length: 20 }, (_, i) => numbers(`f${i}`, i * 10)))
  await Promise.all(
    paths.map((path, i) =>
      commitFiles(i % 2 === 0 ? shop.deps : another, { table: 'numbers', paths: [path] }),
    ),
  )
  expect(await liveFiles()).toEqual(paths.map(nameOf).sort())
})

test('manifests are merged as commits gather, and every file stays', async () => {
  const files = 35
  for (let i = 0; i < files; i++) {
    const paths = [await numbers(`f${i}`, i * 10)]
    await commitFiles(shop.deps, { table: 'numbers', paths })
  }
  const { snapshot, plan } = await readTable(shop.deps, { table: 'numbers' })
  const list = await shop.deps.manifests.getManifestList(snapshot?.manifestList ?? '')
  expect(list.length).toBeLessThan(15)
  expect(plan.files.total).toBe(files)
  expect((await liveFiles()).length).toBe(files)
})
