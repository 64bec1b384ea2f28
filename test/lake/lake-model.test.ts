import fc from 'fast-check'
import { createTable } from '../../src/modules/tables/tables.ts'
import { Lake } from './lake.ts'
import { expectModel, Play, STEPS, writeFiles } from './lake-play.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await writeFiles(lake, shop)
})
afterEach(() => shop.close())

test('whatever transactions of two processes do, each snapshot has the model’s files', async () => {
  const processes = [shop.deps, await shop.another()]
  const fresh = await shop.another()
  let plays = 0
  await fc.assert(
    fc.asyncProperty(STEPS, async (script) => {
      const table = `t${++plays}`
      await createTable(shop.deps, { name: table, columns: [{ name: 'n', type: 'long' }] })
      const play = new Play(table, shop, processes)
      for (const step of script) await play.do(step)
      await expectModel(fresh, play)
    }),
    { numRuns: 30, endOnFailure: true, interruptAfterTimeLimit: 12_000 },
  )
  expect(plays).toBeGreaterThan(5)
}, 40_000)
