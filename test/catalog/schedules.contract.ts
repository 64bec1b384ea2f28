import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { DueRun, NewJob } from '../../src/catalog/job-store.ts'

const DUE: DueRun = { name: 'agency', dueAtMs: 1_000, nextAtMs: 2_000 }

export function describeSchedules(catalog: () => Catalog): void {
  const schedules = () => catalog().schedules
  const newJob = (job: Partial<NewJob> = {}): NewJob => ({
    ...{ jobId: randomUUID(), kind: 'export', key: 'agency', input: null, nowMs: 1_001 },
    ...job,
  })
  const claim = (due: Partial<DueRun> = {}, job: Partial<NewJob> = {}) =>
    schedules().claim({ ...DUE, ...due }, newJob(job))
  const set = (nextAtMs: number) => schedules().set('agency', { digest: 'a', nextAtMs }, undefined)
  const jobs = () => catalog().jobs.list({ kind: 'export', limit: 100 })

  describe('schedules', () => {
    test('what is next is noted, and changed by who knows what it was', async () => {
      const [first, second] = [
        { digest: 'a', nextAtMs: 1_000 },
        { digest: 'b', nextAtMs: 1_000 },
      ]
      expect(await schedules().find('agency')).toBeUndefined()
      expect(await schedules().set('agency', first, undefined)).toBe('set')
      expect(await schedules().set('agency', second, undefined)).toBe('changed')
      expect(await schedules().set('agency', second, { ...first, nextAtMs: 999 })).toBe('changed')
      expect(await schedules().set('agency', second, first)).toBe('set')
      expect(await schedules().set('agency', first, first)).toBe('changed')
      expect(await schedules().find('agency')).toEqual(second)
      await schedules().set('other', first, undefined)
      expect(Object.fromEntries(await schedules().list())).toEqual({ agency: second, other: first })
      await schedules().forget('agency')
      await schedules().forget('agency')
      expect([...(await schedules().list()).keys()]).toEqual(['other'])
    })

    test('of many who claim a time at once, one has it, and its job', async () => {
      await set(1_000)
      const asked = await Promise.all(
        // Other keys: not the open job is what keeps the others off.
        Array.from({ length: 8 }, (_, index) => claim({}, { key: `k${index}` })),
      )
      expect(asked.filter((submitted) => submitted !== undefined)).toHaveLength(1)
      expect(await jobs()).toHaveLength(1)
      expect(await claim({}, { key: 'later' })).toBeUndefined()
      expect((await schedules().find('agency'))?.nextAtMs).toBe(2_000)
    })

    test('a time stays while a run is open, which is joined', async () => {
      await set(1_000)
      const open = await catalog().jobs.submit(newJob({ asker: 'ada' }))
      const joined = await claim({}, { asker: 'schedule' })
      expect(joined).toMatchObject({ isNew: false, job: { jobId: open.job.jobId } })
      expect((await schedules().find('agency'))?.nextAtMs).toBe(1_000)
      // A schedule is an asker as others are.
      const withdrawn = { jobId: open.job.jobId, asker: 'ada', nowMs: 1_002 }
      expect(await catalog().jobs.cancel(withdrawn)).toMatchObject({ state: 'waiting' })
      await catalog().jobs.cancel({ ...withdrawn, asker: 'schedule' })
      expect(await claim()).toMatchObject({ isNew: true })
    })

    test('a time that nobody knows is nobody’s', async () => {
      expect(await claim()).toBeUndefined()
      await set(1_500)
      expect(await claim()).toBeUndefined()
      expect(await jobs()).toEqual([])
    })
  })
}
