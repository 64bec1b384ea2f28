import type { TransactionStore } from '../../../src/catalog/transaction-store.ts'
import {
  commitTransaction,
  startTransaction,
  viewTransaction,
} from '../../../src/lake/commit/transactions.ts'
import type { LakeServices } from '../../../src/lake/lake.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { refusal } from '../../refusal.ts'
import { withStore } from '../failing-disk.ts'
import { Lake, liveNames } from '../lake.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'numbers', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

async function stage(transactionId: string, ...paths: string[]): Promise<void> {
  await stageFiles(shop.deps, { table: 'numbers', transactionId, paths })
}

/**
 * The same catalog; once, between listing what is staged and committing it, something else happens.
 */
function whenListed(happening: () => Promise<unknown>): LakeServices {
  let isOver = false
  const { catalog } = shop.deps
  const listStaged: TransactionStore['listStaged'] = async (transactionId) => {
    const changes = await catalog.transactions.listStaged(transactionId)
    if (!isOver) await happening()
    isOver = true
    return changes
  }
  return { ...shop.deps, catalog: withStore(catalog, 'transactions', { listStaged }) }
}

test('a file staged during its transaction’s commit is never lost: commit again', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  await stage(transactionId, await lake.numbers(shop, 'early'))
  const late = await lake.numbers(shop, 'late', 10)
  const racing = whenListed(() => stage(transactionId, late))
  const error = await refusal(commitTransaction(racing, transactionId))
  expect(error).toMatchObject({ code: 'commit-conflict', facts: { transactionId } })
  expect(error.message).toMatch(/staged .* while it was being committed: commit it again/)
  expect(await liveNames(shop, 'numbers')).toEqual([])
  expect((await viewTransaction(shop.deps, transactionId)).state).toBe('open')
  const [result] = await commitTransaction(racing, transactionId)
  expect(result).toMatchObject({ addedDataFiles: 2, addedRecords: 20 })
  expect(await liveNames(shop, 'numbers')).toEqual(['early', 'late'])
})

test('a commit that comes between listing and committing is no reason to refuse', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  await stage(transactionId, await lake.numbers(shop, 'mine'))
  const paths = [await lake.numbers(shop, 'theirs', 10)]
  const racing = whenListed(() => commitFiles(shop.deps, { table: 'numbers', paths }))
  await commitTransaction(racing, transactionId)
  expect(await liveNames(shop, 'numbers')).toEqual(['mine', 'theirs'])
})

test('many stagings and commits at once: every file reported as staged is committed', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  const another = await shop.another()
  const names = Array.from({ length: 8 }, (_, index) => `f${index}`)
  const paths = await Promise.all(names.map((name, i) => lake.numbers(shop, name, 10 * i)))
  const staged: string[] = []
  await Promise.all(
    paths.map(async (path, index) => {
      const isStaged = await stage(transactionId, path).then(
        () => true,
        () => false,
      )
      if (isStaged) staged.push(names[index] ?? '')
      const deps = index % 2 === 0 ? shop.deps : another
      await commitTransaction(deps, transactionId).catch(() => undefined)
    }),
  )
  await commitTransaction(shop.deps, transactionId)
  expect(staged).not.toEqual([])
  expect(await liveNames(shop, 'numbers')).toEqual(staged.sort())
})
