import { setTimeout as sleep } from 'node:timers/promises'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import type { JobKind } from '../../../src/lake/jobs/job-kind.ts'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'
import { realAmbient } from './background.ts'

/** Run as a child, to be killed: does jobs of the catalog `argv[2]` with leases of `argv[3]` ms. */
const [where = '', leaseText = ''] = process.argv.slice(2)
const catalog = where.startsWith('postgres:')
  ? await openPostgresCatalog({ url: where, connectionsMax: 4 })
  : await openSqliteCatalog({ path: where })
const double: JobKind = {
  kind: 'double',
  attemptsMax: 1_000,
  input: Number,
  async run({ input }, fence) {
    await sleep(Math.random() * 100)
    if (Math.random() < 0.1) await fence.confirm()
    return 2 * Number(input)
  },
}
const log = { warn: () => undefined }
const jobs = new Jobs({ catalog, ambient: realAmbient, log }, new Waiters())
jobs.start({ kinds: [double], leaseMs: Number(leaseText), pollMs: 50, slots: 8 })
process.stdout.write('ready\n')
await sleep(600_000)
