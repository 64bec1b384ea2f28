import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { ClaimedJob, JobEnding, NewJob } from '../../src/catalog/job-store.ts'

/** Longer than the leases here. */
const SEEN_MS = 150
const PROBLEM = { code: 'file-corrupt', detail: 'not Parquet', facts: { path: 'x \u0000 y' } }

export function describeJobs(catalog: () => Catalog): void {
  const jobs = () => catalog().jobs
  const submit = (job: Partial<NewJob> = {}) => {
    const jobId = randomUUID()
    return jobs().submit({ jobId, kind: 'dump', key: jobId, input: null, nowMs: 1_000, ...job })
  }
  const claim = (nowMs: number, owner = 'ada', kinds: readonly string[] = ['dump']) =>
    jobs().claim({ kinds, owner, nowMs, durationMs: 100 })
  const mustClaim = async (nowMs: number, owner = 'ada'): Promise<ClaimedJob> => {
    const job = await claim(nowMs, owner)
    if (job === undefined) throw new Error('there is nothing to claim')
    return job
  }
  const renew = (job: ClaimedJob, nowMs: number, progress?: unknown) =>
    jobs().renew({ ...job, nowMs, durationMs: 100, progress })
  const SUCCESS: JobEnding = { outcome: 'succeeded', result: { rows: 7 }, nowMs: 1_050 }

  describe('jobs', () => {
    test('a job is what was asked for, from its submission to its end', async () => {
      const input = { table: 'sky.planets', ids: ['9223372036854775807'], note: 'a \u0000 b' }
      const { job, isNew } = await submit({ key: 'planets csv', input })
      expect(isNew).toBe(true)
      const waiting = {
        ...{ jobId: job.jobId, kind: 'dump', key: 'planets csv', state: 'waiting', input },
        ...{ progress: undefined, result: undefined, problem: undefined, attempts: 0 },
        ...{ dueAtMs: 1_000, isCancelled: false, createdAtMs: 1_000 },
        ...{ startedAtMs: undefined, endedAtMs: undefined },
      }
      expect(job).toEqual(waiting)
      const claimed = await mustClaim(1_010)
      const running = { ...waiting, state: 'running', attempts: 1, dueAtMs: 1_110 }
      expect(claimed).toEqual({ ...running, startedAtMs: 1_010, owner: 'ada', fencingToken: 1n })
      expect(await renew(claimed, 1_020, { pieces: 3 })).toBe('renewed')
      expect(await renew(claimed, 1_030)).toBe('renewed')
      expect(await jobs().find(job.jobId)).toMatchObject({
        progress: { pieces: 3 },
        dueAtMs: 1_130,
      })
      expect(await jobs().end(claimed, SUCCESS)).toBe('ended')
      const ended = await jobs().find(job.jobId)
      const end = { result: { rows: 7 }, progress: { pieces: 3 }, endedAtMs: 1_050 }
      expect(ended).toMatchObject({ ...end, state: 'succeeded', startedAtMs: 1_010 })
      expect(await jobs().findByKey({ kind: 'dump', key: 'planets csv', nowMs: 1_050 })).toEqual(
        ended,
      )
      expect(await jobs().find(randomUUID())).toBeUndefined()
    })

    test('asked for twice under one key it is one job, until it ends', async () => {
      const first = await submit({ key: 'k' })
      const second = await submit({ key: 'k', nowMs: 1_001 })
      expect(second).toEqual({ job: first.job, isNew: false })
      expect((await submit({ key: 'k', kind: 'export' })).isNew).toBe(true)
      await jobs().end(await mustClaim(1_010), SUCCESS)
      const third = await submit({ key: 'k', nowMs: 1_060 })
      expect(third.isNew).toBe(true)
      const find = async () => await jobs().findByKey({ kind: 'dump', key: 'k', nowMs: 1_060 })
      expect((await find())?.jobId).toBe(third.job.jobId)
      await jobs().end(await mustClaim(1_070), SUCCESS)
      expect((await find())?.jobId).toBe(third.job.jobId)
    })

    test('the job due the longest is claimed, of known kinds, none before its time', async () => {
      const late = await submit({ nowMs: 1_002 })
      const early = await submit({ nowMs: 1_001 })
      await submit({ nowMs: 900, kind: 'export' })
      await submit({ notBeforeMs: 2_000 })
      expect((await mustClaim(1_100)).jobId).toBe(early.job.jobId)
      expect((await mustClaim(1_100)).jobId).toBe(late.job.jobId)
      expect(await claim(1_100)).toBeUndefined()
      expect(await claim(1_100, 'ada', [])).toBeUndefined()
    })

    test('a job that its owner lost comes before those that wait', async () => {
      await submit({ nowMs: 1_000 })
      const lost = await mustClaim(1_000)
      await submit({ nowMs: 900 })
      const waiting = await submit({ nowMs: 1_000 })
      expect((await mustClaim(1_099)).jobId).not.toBe(lost.jobId)
      expect((await mustClaim(1_100)).jobId).toBe(lost.jobId)
      expect((await mustClaim(1_100)).jobId).toBe(waiting.job.jobId)
    })

    test('who lost a job to another can write nothing any more', async () => {
      await submit()
      const lost = await mustClaim(1_000, 'ada')
      expect(await claim(1_099, 'bob')).toBeUndefined()
      const job = await mustClaim(1_100, 'bob')
      expect(job).toMatchObject({ jobId: lost.jobId, attempts: 2, fencingToken: 2n })
      expect(await renew(lost, 1_101, { pieces: 1 })).toBe('lost')
      expect(await jobs().end(lost, SUCCESS)).toBe('lost')
      expect(await renew({ ...lost, owner: 'bob' }, 1_101)).toBe('lost')
      expect(await renew({ ...job, owner: 'ada' }, 1_101)).toBe('lost')
      expect(await jobs().find(job.jobId)).toMatchObject({ state: 'running', progress: undefined })
      expect(await jobs().end(job, SUCCESS)).toBe('ended')
      expect(await jobs().end(job, SUCCESS)).toBe('lost')
      expect(await renew(job, 1_102)).toBe('lost')
      expect(await claim(9_000)).toBeUndefined()
    })

    test('a failed job says why; one to be tried again, or given back, waits', async () => {
      await submit()
      const first = await mustClaim(1_000)
      const again = {
        outcome: 'again',
        problem: PROBLEM,
        notBeforeMs: 3_000,
        nowMs: 1_010,
      } as const
      expect(await jobs().end(first, again)).toBe('ended')
      const waiting = { state: 'waiting', problem: PROBLEM, dueAtMs: 3_000, endedAtMs: undefined }
      expect(await jobs().find(first.jobId)).toMatchObject(waiting)
      expect(await claim(2_999)).toBeUndefined()
      const second = await mustClaim(3_000)
      expect(await jobs().end(second, { outcome: 'released', nowMs: 3_001 })).toBe('ended')
      const third = await mustClaim(3_001)
      expect(third).toMatchObject({ attempts: 2, startedAtMs: 1_000, fencingToken: 3n })
      const later = { outcome: 'released', notBeforeMs: 4_000, nowMs: 3_002 } as const
      expect(await jobs().end(third, later)).toBe('ended')
      expect(await claim(3_999)).toBeUndefined()
      const fourth = await mustClaim(4_000)
      expect(fourth).toMatchObject({ attempts: 2, fencingToken: 4n })
      await jobs().end(fourth, { outcome: 'failed', problem: PROBLEM, nowMs: 4_002 })
      const failed = { state: 'failed', problem: PROBLEM, endedAtMs: 4_002 }
      expect(await jobs().find(third.jobId)).toMatchObject(failed)
    })

    test('who has asked for a job is known, also after they have withdrawn', async () => {
      const { jobId } = (await submit({ key: 'k', asker: 'ada' })).job
      const isAsker = (asker: string, of = jobId) => jobs().isAsker({ jobId: of, asker })
      expect([await isAsker('ada'), await isAsker('bob')]).toEqual([true, false])
      await submit({ key: 'k', asker: 'bob' })
      await jobs().cancel({ jobId, asker: 'ada', nowMs: 1_010 })
      expect([await isAsker('ada'), await isAsker('bob')]).toEqual([true, true])
      expect(await isAsker('ada', randomUUID())).toBe(false)
    })

    test('a job ends when its last asker withdraws, or all are withdrawn at once', async () => {
      const { job } = await submit({ key: 'k', asker: 'ada' })
      await submit({ key: 'k', asker: 'bob' })
      await submit({ key: 'k', asker: 'bob' })
      const { jobId } = job
      const cancel = (asker?: string) =>
        jobs().cancel({ jobId, nowMs: 1_020, ...(asker !== undefined && { asker }) })
      const told = (isWithdrawn: boolean, hasWithdrawn: boolean) => {
        return { state: 'waiting', isWithdrawn, hasWithdrawn }
      }
      expect(await cancel('eve')).toMatchObject(told(false, false))
      expect(await cancel('bob')).toMatchObject(told(true, true))
      expect(await cancel('bob')).toMatchObject(told(false, true))
      // Who asks again wants it again.
      await submit({ key: 'k', asker: 'bob' })
      expect(await cancel('bob')).toMatchObject(told(true, true))
      expect(await cancel('ada')).toMatchObject({ state: 'cancelled', endedAtMs: 1_020 })
      expect(await claim(1_030)).toBeUndefined()
      const other = await submit({ asker: 'ada' })
      const all = await jobs().cancel({ jobId: other.job.jobId, nowMs: 1_040 })
      expect(all).toMatchObject({ state: 'cancelled' })
      expect(await jobs().cancel({ jobId: randomUUID(), nowMs: 1_040 })).toBeUndefined()
    })

    test('a running job learns at renewal that it is to stop, or to go on', async () => {
      const { job } = await submit({ key: 'k', asker: 'ada' })
      const running = await mustClaim(1_000)
      const { jobId } = job
      const cancelled = await jobs().cancel({ jobId, asker: 'ada', nowMs: 1_010 })
      expect(cancelled).toMatchObject({ state: 'running', isCancelled: true })
      expect(await renew(running, 1_020)).toBe('cancelled')
      await submit({ key: 'k', asker: 'bob' })
      expect(await renew(running, 1_030)).toBe('renewed')
      await jobs().cancel({ jobId, nowMs: 1_040 })
      await jobs().end(running, { outcome: 'cancelled', nowMs: 1_050 })
      const ended = { state: 'cancelled', endedAtMs: 1_050 }
      expect(await jobs().find(jobId)).toMatchObject(ended)
      expect(await jobs().cancel({ jobId, nowMs: 1_060 })).toMatchObject(ended)
    })

    test('a job that stopped after it was asked for again waits for another attempt', async () => {
      await submit({ key: 'k', asker: 'ada' })
      const running = await mustClaim(1_000)
      await jobs().cancel({ jobId: running.jobId, nowMs: 1_010 })
      await submit({ key: 'k', asker: 'bob' })
      await jobs().end(running, { outcome: 'cancelled', nowMs: 1_020 })
      expect((await mustClaim(1_020)).jobId).toBe(running.jobId)
    })

    test('a cancelled job whose process died is not tried again in vain', async () => {
      await submit({ asker: 'ada' })
      const lost = await mustClaim(1_000, 'ada')
      await jobs().cancel({ jobId: lost.jobId, nowMs: 1_010 })
      const job = await mustClaim(1_100, 'bob')
      expect(job.isCancelled).toBe(true)
      await jobs().end(job, {
        outcome: 'again',
        problem: PROBLEM,
        notBeforeMs: 5_000,
        nowMs: 1_110,
      })
      expect(await jobs().find(job.jobId)).toMatchObject({ state: 'cancelled', endedAtMs: 1_110 })
    })

    test('jobs are listed in pages, newest first, by kind and state', async () => {
      const ids: string[] = []
      for (let nowMs = 1_000; nowMs < 1_005; nowMs++) {
        const kind = nowMs % 2 === 0 ? 'dump' : 'export'
        ids.unshift((await submit({ nowMs, kind })).job.jobId)
      }
      const first = await jobs().list({ limit: 2 })
      const rest = await jobs().list({ limit: 9, before: first[1] as ClaimedJob })
      expect([...first, ...rest].map(({ jobId }) => jobId)).toEqual(ids)
      expect(await jobs().list({ limit: 9, kind: 'export' })).toHaveLength(2)
      const others = await jobs().list({ limit: 9, exceptKinds: ['export', 'none'] })
      expect(others.map(({ jobId }) => jobId)).toEqual([ids[0], ids[2], ids[4]])
      expect(await jobs().list({ limit: 9, kind: 'dump', exceptKinds: ['dump'] })).toEqual([])
      await mustClaim(1_010)
      const running = await jobs().list({ limit: 9, state: 'running' })
      expect(running.map(({ jobId }) => jobId)).toEqual([ids[4]])
    })

    test('jobs that ended before an instant are forgotten, others stay', async () => {
      const old = await submit({ asker: 'ada' })
      await jobs().end(await mustClaim(1_000), { outcome: 'succeeded', result: 1, nowMs: 1_500 })
      const young = await submit()
      await jobs().end(await mustClaim(1_000), { outcome: 'succeeded', result: 1, nowMs: 1_501 })
      const open = await submit()
      expect(await jobs().forget(1_501)).toBe(1)
      const found = await jobs().list({ limit: 9 })
      expect(found.map(({ jobId }) => jobId).sort()).toEqual(
        [young.job.jobId, open.job.jobId].sort(),
      )
      expect(await jobs().find(old.job.jobId)).toBeUndefined()
    })

    test('of many who claim at once, each gets another job', async () => {
      const submitted = await Promise.all(Array.from({ length: 12 }, () => submit()))
      const owners = Array.from({ length: 20 }, (_, index) => `owner ${index}`)
      const claims: (ClaimedJob | undefined)[] = []
      for (let round = 0; round < 3; round++) {
        claims.push(...(await Promise.all(owners.map((owner) => claim(1_010, owner)))))
      }
      const claimed = claims.flatMap((job) => (job === undefined ? [] : [job.jobId]))
      expect(claimed.sort()).toEqual(submitted.map(({ job }) => job.jobId).sort())
    })

    test('of many who ask for one key at once, one makes the job', async () => {
      const asked = await Promise.all(
        Array.from({ length: 8 }, (_, index) => submit({ key: 'k', asker: `asker ${index}` })),
      )
      expect(asked.filter(({ isNew }) => isNew)).toHaveLength(1)
      expect(new Set(asked.map(({ job }) => job.jobId)).size).toBe(1)
    })

    test('a tick is one caller’s, and never comes again', async () => {
      const tick = (tickMs: number, name = 'forget') =>
        jobs().claimTick({ name, tickMs, nowMs: tickMs })
      const asked = await Promise.all(Array.from({ length: 5 }, () => tick(1_000)))
      expect(asked.filter(Boolean)).toHaveLength(1)
      expect(await tick(999)).toBe(false)
      expect(await tick(1_001)).toBe(true)
      expect(await tick(1_000, 'another')).toBe(true)
    })

    test('what a clock asked for that was ahead is done once that is put right', async () => {
      const year = 365 * 86_400_000
      const tick = (tickMs: number) => jobs().claimTick({ name: 'seal', tickMs, nowMs: tickMs })
      expect([await tick(year), await tick(year + 60_000)]).toEqual([true, true])
      expect([await tick(1_000), await tick(1_000), await tick(2_000)]).toEqual([true, false, true])
      // A clock in local time.
      expect([await tick(3_602_000), await tick(3_000)]).toEqual([true, true])
      // One that is late has its time, and a tick of before does not come again.
      const late = { name: 'seal', tickMs: 2_999, nowMs: 3_001 }
      expect(await jobs().claimTick(late)).toBe(false)

      const { job } = await submit({ key: 'ahead', nowMs: year })
      expect(await submit({ key: 'ahead', nowMs: 2_000 })).toMatchObject({ isNew: false })
      expect(await mustClaim(2_000)).toMatchObject({ jobId: job.jobId })
    })

    test('what a clock that was ahead made wait is claimed, of dead processes, too', async () => {
      const year = 365 * 86_400_000
      const { job } = await submit({ nowMs: year })
      const lost = await mustClaim(year, 'lost')
      expect(lost).toMatchObject({ jobId: job.jobId })
      expect(await claim(2_000)).toBeUndefined()
      await sleep(SEEN_MS)
      const again = await mustClaim(2_000)
      expect(await renew(lost, year + 50)).toBe('lost')
      expect(again).toMatchObject({ jobId: job.jobId, dueAtMs: 2_100 })
      const ending = { outcome: 'again', notBeforeMs: year, problem: PROBLEM, nowMs: year } as const
      expect(await jobs().end(again, ending)).toBe('ended')
      await submit({ notBeforeMs: 3_000_000 })
      await submit({ nowMs: 2_000 })
      expect(await mustClaim(2_010)).toMatchObject({ jobId: job.jobId })
      expect((await mustClaim(2_010)).jobId).not.toBe(job.jobId)
      expect(await claim(2_010)).toBeUndefined()
    })

    test('a job that runs by a clock ahead is its owner’s who renews it', async () => {
      const year = 365 * 86_400_000
      await submit({ key: 'k', nowMs: year })
      const living = await mustClaim(year, 'living')
      expect(await claim(2_000)).toBeUndefined()
      for (const step of [10, 20]) {
        expect(await renew(living, year + step)).toBe('renewed')
        await sleep(SEEN_MS)
        expect(await claim(2_000)).toBeUndefined()
      }
      // Who joins it makes it nobody else's either.
      await submit({ key: 'k', nowMs: 2_000 })
      const { jobId } = living
      const here = { kinds: ['dump'], owner: 'ada', durationMs: 100, exceptJobIds: [jobId] }
      expect(await jobs().claim({ ...here, nowMs: year + 9_000 })).toBeUndefined()
      expect(await claim(2_000)).toBeUndefined()
      await sleep(SEEN_MS)
      expect(await jobs().claim({ ...here, nowMs: 2_000 })).toBeUndefined()
      expect(await claim(2_000, 'ada', ['export'])).toBeUndefined()
      expect(await mustClaim(2_000)).toMatchObject({ jobId, attempts: 2 })
    })

    test('a job that a clock ahead has made is the last only while it goes on', async () => {
      const hour = 3_600_000
      const find = async () =>
        (await jobs().findByKey({ kind: 'dump', key: 'k', nowMs: 2_000 }))?.jobId
      const before = await submit({ key: 'k' })
      await jobs().end(await mustClaim(1_010), SUCCESS)
      const { job } = await submit({ key: 'k', nowMs: hour })
      expect(await find()).toBe(job.jobId)
      await jobs().end(await mustClaim(hour), SUCCESS)
      expect(await find()).toBe(before.job.jobId)
    })
  })
}
