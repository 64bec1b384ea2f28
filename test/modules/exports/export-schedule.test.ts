import type { JobRecord } from '../../../src/catalog/job-store.ts'
import {
  dueRun,
  findNext,
  nextRunAtMs,
  overdueSinceMs,
} from '../../../src/modules/exports/export-schedule.ts'
import { type ExportSchedule, parseTask } from '../../../src/modules/exports/export-task.ts'

const at = (text: string) => Date.parse(`2026-03-${text}Z`)
const DAILY = { cron: '0 3 * * *', catchUp: 'none' } as const

interface Case {
  readonly schedule: ExportSchedule
  readonly now: string
  readonly changed?: string
  readonly asked?: string
  /** As the catalog has it. */
  readonly noted?: string
  /** That of the files which it was noted for. */
  readonly digest?: string
}
type Overdue = readonly [string, Case, number]

const CAUGHT_UP = { ...DAILY, catchUp: 'one' } as const
const LONDON = { ...DAILY, zone: 'Europe/London' } as const
const MINUTELY = { cron: '* * * * *', catchUp: 'one' } as const

async function timesOf({ schedule, now, changed = '01T00:00', asked, ...known }: Case) {
  const { noted: next, digest = 'd' } = known
  const nowMs = at(now)
  const newest = asked === undefined ? undefined : ({ createdAtMs: at(asked) } as JobRecord)
  const jobs = { list: async () => [] } as unknown as Parameters<typeof findNext>[0]['jobs']
  const task = { name: 'x', digest: 'd', changedAtMs: at(changed), schedule }
  const noted = next === undefined ? undefined : { digest, nextAtMs: at(next) }
  const nextAtMs = await findNext({ jobs }, task, { noted, newest, nowMs })
  if (nextAtMs === undefined) throw new Error('it has no next time')
  return { nextAtMs, nowMs }
}

test.each<readonly [string, boolean, Case]>([
  ['in time', true, { schedule: DAILY, now: '10T03:00:04' }],
  ['not yet', false, { schedule: DAILY, now: '10T02:59:59' }],
  ['asked for already', false, { schedule: DAILY, now: '10T03:00:20', asked: '10T03:00:05' }],
  ['asked for before', true, { schedule: DAILY, now: '10T03:00:20', asked: '09T03:00:05' }],
  ['too late', false, { schedule: DAILY, now: '10T03:06:00' }],
  ['caught up', true, { schedule: CAUGHT_UP, now: '12T12:00' }],
  ['caught up once', false, { schedule: CAUGHT_UP, now: '12T12:00', asked: '12T03:00' }],
  ['a new task', false, { schedule: CAUGHT_UP, now: '12T12:00', changed: '12T11:00' }],
  ['long ago', false, { schedule: { cron: '0 3 1 * *', catchUp: 'one' }, now: '12T12:00' }],
  ['moved on', false, { schedule: DAILY, now: '10T03:02:00', noted: '11T03:00' }],
  ['noted', true, { schedule: DAILY, now: '10T03:02:00', noted: '10T03:00' }],
  [
    'noted, and changed',
    true,
    { schedule: DAILY, now: '10T03:00', noted: '10T03:00', changed: '11T00:00' },
  ],
  [
    'other texts',
    false,
    { schedule: DAILY, now: '10T03:00', noted: '10T03:00', digest: 'e', changed: '10T03:00' },
  ],
  ['the end of a pause', true, { schedule: CAUGHT_UP, now: '10T04:00', noted: '10T03:59' }],
  ['noted by a clock ahead', true, { schedule: DAILY, now: '10T03:00:02', noted: '30T03:00' }],
  ['a clock that stepped back', false, { schedule: DAILY, now: '10T02:59:58', noted: '11T03:00' }],
  // The clocks of London go forward on the 29th: there 03:00 is 02:00 UTC from then on.
  ['a zone', true, { schedule: LONDON, now: '28T03:00:01' }],
  ['a zone later', true, { schedule: LONDON, now: '30T02:00:01' }],
  ['every minute', false, { schedule: MINUTELY, now: '12T12:00:30', asked: '12T12:00:01' }],
])('%s: %s', async (_, isDue, run) => {
  const times = await timesOf(run)
  const due = dueRun('x', run.schedule, times)
  expect(due !== undefined).toBe(isDue)
  if (due === undefined) return
  expect(due.dueAtMs).toBe(times.nextAtMs)
  expect(due.nextAtMs).toBeGreaterThan(times.nowMs)
})

test('what is told as next is to come, or is due', async () => {
  const next = async (run: Case) => {
    const ms = nextRunAtMs(run.schedule, await timesOf(run))
    return ms && new Date(ms).toISOString().slice(8, 16)
  }
  expect(await next({ schedule: DAILY, now: '10T02:00' })).toBe('10T03:00')
  expect(await next({ schedule: DAILY, now: '10T03:01' })).toBe('10T03:00')
  expect(await next({ schedule: DAILY, now: '10T04:00' })).toBe('11T03:00')
  expect(await next({ schedule: CAUGHT_UP, now: '10T04:00' })).toBe('10T03:00')
})

test('a schedule or zone that is none makes the task unusable', () => {
  const task = { table: 't', where: 'true', schedule: '0 3 * * *' }
  const parse = (more: object) =>
    parseTask('x', { json: JSON.stringify({ ...task, ...more }), changedAtMs: 0 })
  expect(parse({ catch_up: 'one' }).schedule).toEqual({ cron: '0 3 * * *', catchUp: 'one' })
  for (const more of [{ schedule: 'daily' }, { zone: 'Mars/North' }, { schedule: '61 3 * * *' }]) {
    expect(() => parse(more)).toThrow(/schedule or zone/)
  }
})

test.each<Overdue>([
  ['no run since the last time', { schedule: DAILY, now: '12T12:00' }, 9 * 3_600],
  ['a run since', { schedule: DAILY, now: '12T12:00', asked: '12T03:00' }, 0],
  ['not a minute', { schedule: DAILY, now: '12T03:00:30', asked: '11T03:00' }, 30],
  ['moved on', { schedule: DAILY, now: '12T12:00', noted: '13T03:00' }, 0],
  ['to be made up for', { schedule: CAUGHT_UP, now: '12T12:00', noted: '12T11:59:50' }, 10],
])('overdue: %s', async (_, run, seconds) => {
  const times = await timesOf(run)
  const { nowMs } = times
  expect((nowMs - (overdueSinceMs(run.schedule, times) ?? nowMs)) / 1_000).toBe(seconds)
})
