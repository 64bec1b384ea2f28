import { setImmediate as nextTurn } from 'node:timers/promises'
import { createTable } from '../../../src/modules/tables/tables.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { writeParquet } from '../../parquet-files.ts'
import { inspectFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'

const FILES = 4_000

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, { name: 'numbers', columns: [{ name: 'n', type: 'long' }] })
})
afterEach(() => shop.close())

test('footers that come as fast as they are asked for do not hold the event loop', async () => {
  const query = 'SELECT range::BIGINT AS n FROM range(10)'
  const path = await writeParquet(`${shop.dataFolder}/one.parquet`, query)
  const tail = await shop.deps.objects.readTail(path, 16 * 1024)
  const objects = new Proxy(shop.deps.objects, {
    get: (target, name) =>
      name === 'readTail'
        ? async (location: string) => ({ ...tail, location })
        : Reflect.get(target, name, target)?.bind?.(target),
  }) as ObjectStore
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name: 'numbers' })
  if (state === undefined) throw new Error('the table is gone')
  const paths = Array.from({ length: FILES }, (_, i) => `${shop.dataFolder}/${i}.parquet`)
  let isDone = false
  const inspecting = inspectFiles({ objects }, state, { paths }).finally(() => {
    isDone = true
  })
  let turns = 0
  for (; !isDone; turns++) await nextTurn()
  expect(await inspecting).toHaveLength(FILES)
  // In one turn, if nobody lets go.
  expect(turns).toBeGreaterThan(5)
})
