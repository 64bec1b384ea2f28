import type { TableCommitResult } from '../../../src/core/table/transaction.ts'
import { stageRemoval, stageTruncation } from '../../../src/lake/commit/staging.ts'
import { commitTransaction, startTransaction } from '../../../src/lake/commit/transactions.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake, liveNames } from '../lake.ts'
import { stageFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

/** As a pipeline does that writes `latest.parquet` every night, and replaces the table by it. */
async function replaceBy(
  path: string,
  how: 'truncate' | 'remove',
): Promise<readonly TableCommitResult[]> {
  const { transactionId } = await startTransaction(shop.deps, {})
  const target = { table: 't', transactionId }
  if (how === 'truncate') await stageTruncation(shop.deps, target)
  else await stageRemoval(shop.deps, { ...target, paths: [path] })
  await stageFiles(shop.deps, { ...target, paths: [path] })
  return commitTransaction(shop.deps, transactionId)
}

test.each(['truncate', 'remove'] as const)(
  'a file that was overwritten and replaces itself (%s) is described again',
  async (how) => {
    await append(shop, 't', await lake.numbers(shop, 'latest', 0, 10))
    const path = await lake.numbers(shop, 'latest', 1000, 500)
    const [result] = await replaceBy(path, how)
    expect(result).toMatchObject({ operation: 'overwrite', addedRecords: 500, removedRecords: 10 })
    const { plan, snapshot } = await readTable(shop.deps, { table: 't', filter: 'n = 1200' })
    expect(plan.totals).toMatchObject({ dataFiles: 1, records: 500 })
    expect(snapshot?.summary).toMatchObject({ 'total-data-files': '1', 'total-records': '500' })
  },
)

test('also when the new file has the size and the count of the old one', async () => {
  const size = async () => (await readTable(shop.deps, { table: 't' })).plan.totals.bytes
  await append(shop, 't', await lake.numbers(shop, 'latest', 1000, 10))
  const before = await size()
  await replaceBy(await lake.numbers(shop, 'latest', 2000, 10), 'truncate')
  expect(await size()).toBe(before)
  const { plan } = await readTable(shop.deps, { table: 't', filter: 'n = 2001' })
  expect(plan.files.kept).toBe(1)
})

test('a file that did not change stays as it is: nothing is committed', async () => {
  const path = await lake.numbers(shop, 'latest', 0, 10)
  const id = await append(shop, 't', path)
  expect(await replaceBy(path, 'truncate')).toEqual([])
  expect(await replaceBy(path, 'remove')).toEqual([])
  expect((await readTable(shop.deps, { table: 't' })).snapshot?.snapshotId).toBe(id)
  expect(await liveNames(shop, 't')).toEqual(['latest'])
})
