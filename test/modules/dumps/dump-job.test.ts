import { jest } from '@jest/globals'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'
import { askForDump, dumpJob, findDumpJob } from '../../../src/modules/dumps/dump-job.ts'
import { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { append, Lake } from '../../lake/lake.ts'
import { type DumpShop, openDumpShop, type Process } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openDumpShop()
  await createTable(shop.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  await append(shop, 't', await lake.numbers(shop, 't-a', 0, 10))
})
afterEach(() => shop.close())

const never = new AbortController().signal

async function start(process: Pick<Process, 'deps' | 'dumps'>): Promise<Jobs> {
  const jobs = new Jobs(shop.deps, new Waiters())
  jobs.start({ kinds: [dumpJob(process.deps, process.dumps)], pollMs: 10 })
  return jobs
}

test('a dump that was asked for in one process is made by another, once for all', async () => {
  const asking = new Jobs(shop.deps, new Waiters())
  const target = await shop.target('t')
  const { jobId } = await askForDump(asking, target, 'ada')
  expect((await askForDump(asking, target, 'bob')).jobId).toBe(jobId)
  const other = await shop.anotherDumps()
  const making = await start(other)
  const job = await asking.waitForEnd(jobId, { waitMs: 60_000, signal: never })
  await making.close()
  const index = await shop.dumps.find(target)
  const result = { bytes: index?.lengthBytes, rows: 10, sha256: index?.sha256 }
  expect(job).toMatchObject({ state: 'succeeded', result, progress: { pieces_done: 2 } })
  expect(await findDumpJob(asking, target)).toMatchObject({ jobId })
  expect(other.counting.exports).toBe(1)
})

test('a dump of a table that is gone by then fails, and says so', async () => {
  const jobs = await start(shop)
  const target = await shop.target('t')
  const { tableUuid } = target.state.definition
  await shop.deps.catalog.tables.drop({ tableUuid, expectedVersion: target.state.version })
  const { jobId } = await askForDump(jobs, target, 'ada')
  const job = await jobs.waitForEnd(jobId, { waitMs: 60_000, signal: never })
  expect(job).toMatchObject({ state: 'failed', problem: { code: 'table-not-found' } })
  await jobs.close()
})

test('a dump that is cancelled is not made, unless somebody reads it', async () => {
  const target = await shop.target('t')
  const stop = new AbortController()
  const building = shop.dumps.build(target, { report: () => undefined, signal: stop.signal })
  stop.abort(new Error('cancelled'))
  await expect(building).rejects.toThrow('cancelled')
  await shop.dumps.settle()
  expect(await shop.dumps.state(target)).toEqual({ state: 'absent' })

  const opened = await shop.dumps.open(target)
  if (!(opened instanceof DumpProgress)) throw new Error('it was made')
  const again = shop.dumps.build(target, { report: () => undefined, signal: stop.signal })
  await expect(again).rejects.toThrow('cancelled')
  expect((await opened.done).rowCount).toBe(10)
})
