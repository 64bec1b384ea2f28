import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { openBucketServer, storesHere } from '../objects/stores/bucket-server.ts'
import { writeParquet } from '../parquet-files.ts'
import { expectOneOrder } from './crash-storm.ts'
import { buildService, endServices } from './killable-service.ts'

/** All settings of the other storm of crashes together have so many. */
const KILLS = Number(process.env['TEST_KILLS'] ?? 30)
const FEWER = Math.ceil(KILLS / 10)
const TIMEOUT_MS = 300_000 + 10_000 * KILLS
/** One row of the table in CI; all of them where there are to be more kills than there. */
const CATALOGS = KILLS > 30 ? ['sqlite', 'postgres'] : ['postgres']
const STORES = storesHere().filter(({ name }) => name === 'weed' || KILLS > 30)

let home: string
let template: string
beforeAll(async () => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-crash-buckets-'))
  template = await writeParquet(join(home, 'template.parquet'), 'SELECT 1::BIGINT AS n')
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(home, { recursive: true, force: true })
})

for (const catalog of CATALOGS) {
  for (const { name: store, why } of STORES) {
    const obstacle = why ?? (catalog === 'postgres' ? whyNoPostgres() : undefined)
    const testHere = obstacle === undefined ? test : test.skip
    testHere(
      `after ${FEWER} SIGKILLs one order explains what clients saw: ${catalog}, ${store}`,
      () => expectOneOrderIn(store, catalog),
      TIMEOUT_MS,
    )
  }
}

/** What the service writes is in the bucket; the files that clients commit are here. */
async function expectOneOrderIn(
  store: (typeof STORES)[number]['name'],
  catalog: string,
): Promise<void> {
  const name = `${catalog}-${store}`
  const server = await openBucketServer(store)
  const postgres = catalog === 'postgres' ? await startPostgres() : undefined
  try {
    const settings = {
      ...server.settingsFor(join(home, name)),
      ...(postgres !== undefined && { MORAINE_CATALOG: await postgres.newDatabase() }),
    }
    const place = { home: join(home, name), template }
    await expectOneOrder({ name, ...place, processes: 2, kills: FEWER, settings })
  } finally {
    await postgres?.stop()
    await server.stop()
  }
}
