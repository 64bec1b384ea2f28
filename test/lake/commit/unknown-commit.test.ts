import { createReadStream, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CatalogError } from '../../../src/core/errors.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
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

const lost = new CatalogError('commit-state-unknown', 'connection terminated')
/** A database that has just ended answers nobody for a while: a read is refused as any is then. */
const away = new CatalogError('overloaded', 'the catalog database is out of reach')
const damaged = new CatalogError('catalog-damaged', 'database disk image is malformed')

/**
 * The same services, but each answer to a commit is lost after it has happened. Whoever asks then
 * gets `asked`, or what the catalog says.
 */
function withLostAnswers(asked?: CatalogError): WorkshopDependencies {
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
      if (isLost && asked !== undefined) throw asked
      return transaction
    },
  })
  return { ...shop.deps, ...composeLake({ ...shop.deps, catalog }) }
}

describe.each([lost, away, damaged])('where the catalog cannot be asked (%s)', (asked) => {
  test('a commit whose answer was lost keeps its files, which the catalog names', async () => {
    const file = await lake.numbers(shop, 'a', 0, 10)
    const deps = withLostAnswers(asked)
    const attempt = commitFiles(deps, { table: 'numbers', paths: [file] })
    expect((await refusal(attempt)).code).toBe('commit-state-unknown')
    expect(await liveNames(shop, 'numbers')).toEqual(['a'])
  })

  test('an upload whose answer was lost keeps its file', async () => {
    const chunks = createReadStream(await lake.numbers(shop, 'a', 0, 10))
    const attempt = uploadFile(withLostAnswers(asked), { table: 'numbers', chunks })
    expect((await refusal(attempt)).code).toBe('commit-state-unknown')
    const { plan } = await readTable(shop.deps, { table: 'numbers' })
    const paths = [...plan.plannedFiles()].map(({ dataFile }) => fileURLToPath(dataFile.path))
    expect(paths.map((path) => existsSync(path))).toEqual([true])
  })
})

test('a commit whose answer was lost is answered by what the catalog says of it', async () => {
  const file = await lake.numbers(shop, 'a', 0, 10)
  const deps = withLostAnswers()
  await commitFiles(deps, { table: 'numbers', paths: [file] })
  expect(await liveNames(shop, 'numbers')).toEqual(['a'])
})
