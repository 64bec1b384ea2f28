import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { CatalogError } from '../../../src/core/errors.ts'
import { type JobKind, JobNotYet } from '../../../src/lake/jobs/job-kind.ts'
import type { JobRunnerOptions } from '../../../src/lake/jobs/job-runner.ts'
import { Jobs } from '../../../src/lake/jobs/jobs.ts'
import { LastingError } from '../../../src/lake/jobs/lasting.ts'
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

const log = { warn: () => undefined }
const waiters = new Waiters()
const never = new AbortController().signal

/** As one process has them. */
function open(kinds?: readonly JobKind[], options: Partial<JobRunnerOptions> = {}): Jobs {
  const jobs = new Jobs({ catalog, ambient: realAmbient, log }, waiters)
  if (kinds !== undefined) jobs.start({ kinds, pollMs: 10, leaseMs: 400, ...options })
  opened.push(jobs)
  return jobs
}

function kindOf(run: JobKind<number>['run'], more: Partial<JobKind<number>> = {}): JobKind {
  return { kind: 'work', input: (stored) => Number(stored), run, ...more } as JobKind
}

const ended = (jobs: Jobs, jobId: string) =>
  jobs.waitForEnd(jobId, { waitMs: 20_000, signal: never })

/** Runs until it is told to stop. */
const endless = (begun: { signal?: AbortSignal }): JobKind['run'] => {
  return (_job, _fence, signal) =>
    new Promise((_resolve, reject) => {
      begun.signal = signal
      signal.addEventListener('abort', () => reject(signal.reason))
    })
}

test('a job is done by a process that knows its kind, wherever it was asked for', async () => {
  const asking = open()
  open([kindOf(async ({ input, attempt }) => ({ doubled: 2 * input, attempt }))])
  const { job } = await asking.submit({ kind: 'work', input: 21 })
  const result = { doubled: 42, attempt: 1 }
  expect(await ended(asking, job.jobId)).toMatchObject({ state: 'succeeded', result })
})

test('a refusal is the end; another failure is tried again, up to some attempts', async () => {
  let runs = 0
  const jobs = open([
    kindOf(async () => {
      throw new CatalogError('file-corrupt', 'damaged', { facts: { file: 'a' } })
    }),
    kindOf(
      async () => {
        runs++
        throw new Error('secret of the machine')
      },
      { kind: 'flaky', attemptsMax: 2 },
    ),
    kindOf(async () => 1, {
      kind: 'picky',
      input: () => {
        throw new CatalogError('request-invalid', 'made by an older release')
      },
    }),
  ])
  const refused = (await jobs.submit({ kind: 'work', input: 1 })).job
  const picky = (await jobs.submit({ kind: 'picky', input: 1 })).job
  const flaky = (await jobs.submit({ kind: 'flaky', input: 1 })).job
  const problem = { code: 'file-corrupt', detail: 'damaged', facts: { file: 'a' } }
  expect(await ended(jobs, refused.jobId)).toMatchObject({ state: 'failed', problem, attempts: 1 })
  expect(await ended(jobs, picky.jobId)).toMatchObject({ problem: { code: 'request-invalid' } })
  const last = await ended(jobs, flaky.jobId)
  expect(last).toMatchObject({ state: 'failed', attempts: 2, problem: { code: 'internal' } })
  expect(JSON.stringify(last)).not.toContain('secret')
  expect(runs).toBe(2)
})

test('a commit whose answer was lost is not the end: it is tried again', async () => {
  const run = kindOf(async ({ attempt }) => {
    if (attempt === 1) throw new CatalogError('commit-state-unknown', 'the answer was lost')
    return 'found'
  })
  const jobs = open([run])
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  expect(await ended(jobs, job.jobId)).toMatchObject({ state: 'succeeded', result: 'found' })
})

describe('where a store is away', () => {
  let aheadMs = 0
  let isThere = true
  beforeEach(() => {
    aheadMs = 0
    isThere = true
  })
  const ambient = { ...realAmbient, nowMs: () => Date.now() + aheadMs }
  const requireEveryPlace = async () => {
    if (!isThere) throw new CatalogError('warehouse-unavailable', 'it is not mounted')
  }
  function begin(run: JobKind<number>['run'], more: Partial<JobKind<number>> = {}): Jobs {
    const jobs = new Jobs({ catalog, ambient, log, requireEveryPlace }, waiters)
    jobs.start({ kinds: [kindOf(run, more)], pollMs: 10, leaseMs: 60_000 })
    opened.push(jobs)
    return jobs
  }
  /** Until the attempt has failed; returns how long the next one waits. */
  async function pauseAfter(jobs: Jobs, jobId: string, attempts: number): Promise<number> {
    const failed = async () => {
      const job = await jobs.get(jobId)
      return job.state === 'waiting' && job.attempts === attempts ? job : undefined
    }
    const beganMs = ambient.nowMs()
    await until(async () => (await failed()) !== undefined)
    for (;;) {
      aheadMs += 5_000
      await new Promise((resolve) => setTimeout(resolve, 50))
      if ((await failed()) === undefined) return ambient.nowMs() - beganMs
    }
  }

  test('a job is tried again, with longer pauses, until it is back', async () => {
    const jobs = begin(async ({ attempt }) => {
      if (attempt < 4) throw new CatalogError('storage-unavailable', 'no answer')
      return attempt
    })
    const { jobId } = (await jobs.submit({ kind: 'work', input: 1 })).job
    const pauses = []
    for (const attempts of [1, 2, 3]) pauses.push(await pauseAfter(jobs, jobId, attempts))
    expect(await ended(jobs, jobId)).toMatchObject({ state: 'succeeded', result: 4 })
    expect(pauses.map((ms) => ms >= 9_000)).toEqual([true, true, true])
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(60_000)
  })

  test('it has failed after its attempts, and says why', async () => {
    const away = async () => {
      throw new CatalogError('storage-unavailable', 'no answer')
    }
    const jobs = begin(away, { attemptsMax: 2 })
    const { jobId } = (await jobs.submit({ kind: 'work', input: 1 })).job
    await pauseAfter(jobs, jobId, 1)
    const problem = { code: 'storage-unavailable', detail: 'no answer' }
    expect(await ended(jobs, jobId)).toMatchObject({ state: 'failed', attempts: 2, problem })
  })

  test('what its files look like without their disk is not the end, either', async () => {
    const jobs = begin(async () => {
      throw new CatalogError('file-not-found', 'there is no file a')
    })
    isThere = false
    const { jobId } = (await jobs.submit({ kind: 'work', input: 1 })).job
    await until(async () => (await jobs.get(jobId)).problem !== undefined)
    const waiting = { state: 'waiting', problem: { code: 'warehouse-unavailable' } }
    expect(await jobs.get(jobId)).toMatchObject(waiting)
    isThere = true
    aheadMs += 60_000
    const problem = { code: 'file-not-found' }
    expect(await ended(jobs, jobId)).toMatchObject({ state: 'failed', attempts: 2, problem })
  })

  test('what has lasted too long is the end', async () => {
    isThere = false
    const jobs = begin(async () => {
      throw new LastingError('storage-unavailable', 'for hours')
    })
    const { jobId } = (await jobs.submit({ kind: 'work', input: 1 })).job
    expect(await ended(jobs, jobId)).toMatchObject({ state: 'failed', attempts: 1 })
  })
})

test('one whose turn has not come waits, and has used up no attempt', async () => {
  let turns = 0
  const run = kindOf(async ({ attempt }) => {
    if (turns++ < 3) throw new JobNotYet(20)
    return attempt
  })
  const jobs = open([{ ...run, attemptsMax: 1 }])
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  expect(await ended(jobs, job.jobId)).toMatchObject({ state: 'succeeded', result: 1 })
  expect(turns).toBe(4)
})

test('progress is seen while the job runs', async () => {
  const jobs = open([
    kindOf(({ report }, _fence, signal) => {
      report({ pieces_done: 3 })
      return endless({})({} as never, {} as never, signal)
    }),
  ])
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  const seen = async () => (await jobs.get(job.jobId)).progress
  await until(async () => (await seen()) !== undefined)
  expect(await seen()).toEqual({ pieces_done: 3 })
})

test('a cancelled job stops at once in its own process', async () => {
  const begun: { signal?: AbortSignal } = {}
  const jobs = open([kindOf(endless(begun))], { leaseMs: 60_000 })
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  await until(() => begun.signal !== undefined)
  await jobs.cancel(job.jobId)
  expect(await ended(jobs, job.jobId)).toMatchObject({ state: 'cancelled' })
})

test('that a job was cancelled is told once, and not where it was asked for again', async () => {
  const told: number[] = []
  const cancelled = async (input: number) => void told.push(input)
  const notYet = () => Promise.reject(new JobNotYet(60_000))
  const jobs = open([kindOf(notYet, { cancelled } as Partial<JobKind<number>>)])
  const { job } = await jobs.submit({ kind: 'work', key: 'a', input: 1 })
  await jobs.cancel(job.jobId)
  await until(() => told.length > 0)
  await jobs.cancel(job.jobId)
  expect(told).toEqual([1])
  const real = catalog.jobs.cancel.bind(catalog.jobs)
  Object.assign(catalog.jobs, {
    cancel: async (...asked: Parameters<typeof real>) => {
      const found = await real(...asked)
      await jobs.submit({ kind: 'work', key: 'b', input: 3 })
      return found
    },
  })
  const second = (await jobs.submit({ kind: 'work', key: 'b', input: 2 })).job
  await until(async () => (await jobs.get(second.jobId)).state === 'waiting')
  await jobs.cancel(second.jobId)
  expect(told).toEqual([1])
})

test('a cancelled job stops at its next renewal in another process', async () => {
  const begun: { signal?: AbortSignal } = {}
  const asking = open()
  open([kindOf(endless(begun))])
  const { job } = await asking.submit({ kind: 'work', input: 1, asker: 'ada', key: 'k' })
  await asking.submit({ kind: 'work', input: 1, asker: 'bob', key: 'k' })
  await until(() => begun.signal !== undefined)
  expect((await asking.cancel(job.jobId, 'ada')).isCancelled).toBe(false)
  expect((await asking.cancel(job.jobId, 'bob')).isCancelled).toBe(true)
  expect(await ended(asking, job.jobId)).toMatchObject({ state: 'cancelled' })
})

test('a process that stops gives its jobs back, and another does them', async () => {
  const begun: { signal?: AbortSignal } = {}
  const first = open([kindOf(endless(begun))], { leaseMs: 60_000 })
  const { job } = await first.submit({ kind: 'work', input: 1 })
  await until(() => begun.signal !== undefined)
  await first.close()
  const waiting = { state: 'waiting', attempts: 0 }
  expect(await catalog.jobs.find(job.jobId)).toMatchObject(waiting)
  const second = open([kindOf(async () => 'done')])
  expect(await ended(second, job.jobId)).toMatchObject({ result: 'done', attempts: 1 })
})

test('a holder that lost its job is stopped, and its last word counts for nothing', async () => {
  const begun: { signal?: AbortSignal } = {}
  const stalled = open([kindOf(endless(begun))])
  const { job } = await stalled.submit({ kind: 'work', input: 1 })
  await until(() => begun.signal !== undefined)
  const nowMs = Date.now() + 60_000
  const claim = { kinds: ['work'], owner: 'other', nowMs, durationMs: 60_000 }
  const claimed = await catalog.jobs.claim(claim)
  expect(claimed).toMatchObject({ jobId: job.jobId, attempts: 2 })
  await until(() => begun.signal?.aborted === true)
  await stalled.close()
  expect(await catalog.jobs.find(job.jobId)).toMatchObject({ state: 'running', attempts: 2 })
})

test.each([
  ['stops', (jobs: Jobs) => jobs.close()],
  [
    'has lost the job',
    () =>
      catalog.jobs.claim({
        ...{ kinds: ['work'], owner: 'other', nowMs: Date.now() + 60_000, durationMs: 60_000 },
      }),
  ],
])('what a cancelled job ends with is stopped when its process %s', async (_, stop) => {
  const seen: boolean[] = []
  const jobs = open([
    kindOf(async ({ jobId }, fence, signal) => {
      await jobs.cancel(jobId)
      await until(() => signal.aborted)
      seen.push(fence.stopped.aborted)
      const stopping = stop(jobs)
      await until(() => fence.stopped.aborted, 3_000)
      seen.push(true)
      void stopping
    }),
  ])
  await jobs.submit({ kind: 'work', input: 1 })
  await until(() => seen.length === 2)
  expect(seen).toEqual([false, true])
})

test('a fence confirms only for who has the job', async () => {
  const outcomes: unknown[] = []
  const jobs = open([
    kindOf(async ({ jobId }, fence) => {
      await fence.confirm()
      outcomes.push(fence.token)
      const nowMs = Date.now() + 60_000
      await catalog.jobs.claim({ kinds: ['work'], owner: 'other', nowMs, durationMs: 60_000 })
      await fence.confirm().catch((error: CatalogError) => outcomes.push(error.code))
      return jobId
    }),
  ])
  await jobs.submit({ kind: 'work', input: 1 })
  await until(() => outcomes.length === 2)
  expect(outcomes).toEqual([1n, 'overloaded'])
})

test('no more jobs run at once than there are slots, and all are done', async () => {
  let atOnce = 0
  let atOnceMax = 0
  const jobs = open(
    [
      kindOf(async () => {
        atOnceMax = Math.max(atOnceMax, ++atOnce)
        await new Promise((resolve) => setTimeout(resolve, 5))
        atOnce--
      }),
    ],
    { slots: 3, leaseMs: 20_000 },
  )
  const submitted = await Promise.all(
    Array.from({ length: 12 }, () => jobs.submit({ kind: 'work', input: 1 })),
  )
  for (const { job } of submitted) {
    expect(await ended(jobs, job.jobId)).toMatchObject({ state: 'succeeded', result: null })
  }
  expect(atOnceMax).toBe(3)
})

test('waiting ends with the time, the client or the service, and is limited', async () => {
  const few = new Waiters(1)
  const jobs = new Jobs({ catalog, ambient: realAmbient, log }, few)
  const { job } = await jobs.submit({ kind: 'work', input: 1 })
  const wait = (waitMs: number, signal = never) => jobs.waitForEnd(job.jobId, { waitMs, signal })
  expect(await wait(20)).toMatchObject({ state: 'waiting' })
  const client = new AbortController()
  const waiting = wait(60_000, client.signal)
  await expect(wait(60_000)).rejects.toMatchObject({ code: 'overloaded' })
  client.abort()
  expect(await waiting).toMatchObject({ state: 'waiting' })
  const last = wait(60_000)
  few.close()
  expect(await last).toMatchObject({ state: 'waiting' })
  await expect(jobs.get('none')).rejects.toMatchObject({ code: 'job-not-found' })
  await expect(jobs.cancel('none')).rejects.toMatchObject({ code: 'job-not-found' })
})

test('jobs of one kind that go on for hours leave places to those of others', async () => {
  const running: string[] = []
  const long = (kind: string): JobKind =>
    kindOf(
      (_job, _fence, signal) => {
        running.push(kind)
        return endless({})({} as never, {} as never, signal)
      },
      { kind },
    )
  const jobs = open([long('export'), long('dump'), long('dataset')], { slots: 8 })
  const submit = async (kind: string, count: number) => {
    for (let i = 0; i < count; i++) await jobs.submit({ kind, input: i })
  }
  const runs = (kind: string) => running.filter((each) => each === kind).length
  await submit('export', 20)
  await until(() => runs('export') === 4)
  await submit('dump', 20)
  await until(() => runs('dump') === 3)
  await submit('dataset', 2)
  await until(() => runs('dataset') === 1)
  expect([runs('export'), runs('dump')]).toEqual([4, 3])
})
