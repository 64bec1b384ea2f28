import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import type { JobKind } from '../../../src/lake/jobs/job-kind.ts'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { Waiters } from '../../../src/lake/jobs/waiters.ts'
import { realAmbient, until } from './background.ts'

let catalog: Catalog
let opened: Jobs[] = []
beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map((jobs) => jobs.close()))
  await catalog.close()
})

/** As one process has them whose clock is off by so much. */
function open(run: JobKind['run'], offsetMs: () => number): Jobs {
  const ambient = { ...realAmbient, nowMs: () => Date.now() + offsetMs() }
  const jobs = new Jobs({ catalog, ambient, log: { warn: () => undefined } }, new Waiters())
  const kinds = [{ kind: 'work', input: Number, run }]
  jobs.start({ kinds, pollMs: 10, leaseMs: 2_000 })
  opened.push(jobs)
  return jobs
}

/** Runs until it is told to stop. */
const endless = (begun: { signal?: AbortSignal }): JobKind['run'] => {
  return (_job, _fence, signal) =>
    new Promise((_resolve, reject) => {
      begun.signal = signal
      signal.addEventListener('abort', () => reject(signal.reason))
    })
}

const HOURS_MS = 2 * 3_600_000

test.each([
  ['ahead', HOURS_MS],
  ['behind', -HOURS_MS],
])('a clock that was %s and is put right takes no job from who runs it', async (_, aheadMs) => {
  let offsetMs = aheadMs
  const begun: { signal?: AbortSignal } = {}
  const jobs = open(endless(begun), () => offsetMs)
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  await until(() => begun.signal !== undefined)
  const { signal } = begun
  offsetMs = 0
  const leftMs = async () => Number((await jobs.get(job.jobId)).dueAtMs) - Date.now()
  await until(async () => Math.abs(await leftMs()) < HOURS_MS / 2)
  expect(await jobs.get(job.jobId)).toMatchObject({ state: 'running', attempts: 1 })
  expect(begun.signal).toBe(signal)
  expect(signal?.aborted).toBe(false)
})

test('a process whose clock is hours behind takes no job from who runs it', async () => {
  const begun: { signal?: AbortSignal } = {}
  const holding = open(endless(begun), () => HOURS_MS)
  const { job } = await holding.submit({ kind: 'work', input: 1 })
  await until(() => begun.signal !== undefined)
  const { dueAtMs } = await holding.get(job.jobId)
  open(
    async () => 'taken',
    () => 0,
  )
  await until(async () => (await holding.get(job.jobId)).dueAtMs > dueAtMs + 5_000)
  expect(await holding.get(job.jobId)).toMatchObject({ state: 'running', attempts: 1 })
  expect(begun.signal?.aborted).toBe(false)
})
