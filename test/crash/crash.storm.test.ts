import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import { writeParquet } from '../parquet-files.ts'
import { expectOneOrder } from './crash-storm.ts'
import { buildService, endServices } from './killable-service.ts'

/** All settings together: half in the first, and the rest in equal parts. */
const KILLS = Number(process.env['TEST_KILLS'] ?? 30)

let home: string
let template: string
beforeAll(async () => {
  buildService()
  home = mkdtempSync(join(tmpdir(), 'moraine-crash-'))
  template = await writeParquet(join(home, 'template.parquet'), 'SELECT 1::BIGINT AS n')
}, 300_000)
afterAll(async () => {
  await endServices()
  rmSync(home, { recursive: true, force: true })
})

const at = (name: string) => ({ home: join(home, name), template })
const MOST = Math.ceil(KILLS / 2)
const FEWER = Math.ceil(KILLS / 6)
const TIMEOUT_MS = 300_000 + 10_000 * KILLS
const title = (kills: number) => `after ${kills} SIGKILLs one order explains what clients saw`

for (const [processes, kills] of [
  [1, MOST],
  [2, FEWER],
] as const) {
  test(
    `${title(kills)}: SQLite, ${processes} processes`,
    async () => {
      const name = `sqlite-${processes}`
      const batches = await expectOneOrder({ name, ...at(name), processes, kills })
      // Else nothing says that a batch of several transactions is whole or not there.
      if (processes === 1) expect(batches.before + batches.unanswered).toBeGreaterThan(0)
    },
    TIMEOUT_MS,
  )
}

const withPostgres = whyNoPostgres() === undefined ? test : test.skip
for (const processes of [1, 2]) {
  withPostgres(
    `${title(FEWER)}: PostgreSQL, ${processes} processes`,
    async () => {
      const postgres = await startPostgres()
      try {
        const name = `postgres-${processes}`
        const settings = { MORAINE_CATALOG: await postgres.newDatabase() }
        await expectOneOrder({ name, ...at(name), processes, kills: FEWER, settings })
      } finally {
        await postgres.stop()
      }
    },
    TIMEOUT_MS,
  )
}
