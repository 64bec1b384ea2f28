import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { evolveTable } from '../../../src/modules/tables/evolve-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { changed } from '../../lake/failing-disk.ts'
import { append, Lake } from '../../lake/lake.ts'
import { openWorkshop, START_MS, type Workshop } from '../../lake/workshop.ts'
import { dataFileNames } from './data-file-names.ts'

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, {
    name: 't',
    columns: [
      { name: 'k', type: 'long' },
      { name: 'n', type: 'long' },
    ],
  })
  for (let k = 0; k < 4; k++) {
    const path = `${shop.dataFolder}/k${k}.parquet`
    await append(shop, 't', await lake.write(path, `SELECT ${k}::BIGINT AS k, 1::BIGINT AS n`))
  }
})
afterEach(() => shop.close())

const toDouble = (name: string) => ({ changes: [{ op: 'type' as const, name, type: 'double' }] })

const far = () => shop.deps.catalog.deletions.listDue({ nowMs: START_MS * 2, limit: 99 })

test('files of a rewrite are to be deleted until its commit names them', async () => {
  const before = new Set(await dataFileNames(shop))
  const placed: string[] = []
  let stopped: () => void = () => undefined
  const { objects } = shop.deps
  const over = (putFileIfAbsent: typeof objects.putFileIfAbsent) => ({
    ...{ ...shop.deps, objects: changed(objects, { putFileIfAbsent }) },
  })
  const watched = over(async (location, path) => {
    expect((await far()).map((deletion) => deletion.path)).toContain(location)
    const outcome = await objects.putFileIfAbsent(location, path)
    placed.push(location)
    return outcome
  })
  await evolveTable(watched, 't', toDouble('n'))
  expect(placed).toHaveLength(4)
  expect(await far()).toEqual([])
  let isKilled = false
  const killed = over(async (location, path) => {
    // Nothing else is placed, by conversions that run at the same time, either.
    if (!isKilled) {
      isKilled = true
      await objects.putFileIfAbsent(location, path)
      stopped()
    }
    return new Promise<never>(() => undefined)
  })
  await new Promise<void>((resolve) => {
    stopped = resolve
    void evolveTable(killed, 't', toDouble('k')).catch(() => undefined)
  })
  const left = (await dataFileNames(shop)).filter(
    (file) => !before.has(file) && !placed.includes(file),
  )
  expect(left.length).toBeGreaterThan(0)
  shop.setClock(START_MS + 30 * 86_400_000)
  await unlinkDue(shop.deps)
  expect((await dataFileNames(shop)).filter((file) => left.includes(file))).toEqual([])
  expect((await dataFileNames(shop)).sort()).toEqual(placed.sort())
})
