import { CatalogError } from '../../../src/core/errors.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { composeLake } from '../../../src/service.ts'
import { refusal } from '../../refusal.ts'
import { withStore } from '../failing-disk.ts'
import { Lake, liveNames } from '../lake.ts'
import { commitFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from '../workshop.ts'

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

/** The same services, but each answer to a commit is lost after it has happened. */
function withLostAnswers({ canAskAgain }: { canAskAgain: boolean }): WorkshopDependencies {
  const lost = new CatalogError('commit-state-unknown', 'connection terminated')
  const committing = withStore(shop.deps.catalog, 'tables', {
    commit: async (commit, options) => {
      await shop.deps.catalog.tables.commit(commit, options)
      throw lost
    },
  })
  const find = shop.deps.catalog.transactions.find.bind(shop.deps.catalog.transactions)
  let isLost = false
  const catalog = withStore(committing, 'transactions', {
    find: async (transactionId) => {
      const transaction = await find(transactionId)
      isLost ||= transaction?.state === 'committed'
      if (isLost && !canAskAgain) throw lost
      return transaction
    },
  })
  return { ...shop.deps, ...composeLake({ ...shop.deps, catalog }) }
}

test('a commit whose answer was lost keeps its files, which the catalog names', async () => {
  const file = await lake.numbers(shop, 'a', 0, 10)
  const attempt = commitFiles(withLostAnswers({ canAskAgain: false }), {
    table: 'numbers',
    paths: [file],
  })
  expect((await refusal(attempt)).code).toBe('commit-state-unknown')
  expect(await liveNames(shop, 'numbers')).toEqual(['a'])
})

test('a commit whose answer was lost is answered by what the catalog says of it', async () => {
  const file = await lake.numbers(shop, 'a', 0, 10)
  const deps = withLostAnswers({ canAskAgain: true })
  await commitFiles(deps, { table: 'numbers', paths: [file] })
  expect(await liveNames(shop, 'numbers')).toEqual(['a'])
})
