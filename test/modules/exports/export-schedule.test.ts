import { isDue, overdueSinceMs } from '../../../src/modules/exports/export-schedule.ts'
import { type ExportSchedule, parseTask } from '../../../src/modules/exports/export-task.ts'

const at = (text: string) => Date.parse(`2026-03-${text}Z`)
const DAILY = { cron: '0 3 * * *', catchUp: 'none' } as const

interface Case {
  readonly schedule: ExportSchedule
  readonly now: string
  readonly changed?: string
  readonly asked?: string
  readonly resumed?: string
}
type Overdue = readonly [string, Case, number]

const CAUGHT_UP = { ...DAILY, catchUp: 'one' } as const
const LONDON = { ...DAILY, zone: 'Europe/London' } as const
const MINUTELY = { cron: '* * * * *', catchUp: 'one' } as const

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
  ['in a pause', false, { schedule: DAILY, now: '10T03:02:00', resumed: '10T03:01' }],
  ['after a pause', true, { schedule: DAILY, now: '10T03:02:00', resumed: '10T02:59' }],
  ['in a pause, caught up', true, { schedule: CAUGHT_UP, now: '10T04:00', resumed: '10T03:59' }],
  // The clocks of London go forward on the 29th: there 03:00 is 02:00 UTC from then on.
  ['a zone', true, { schedule: LONDON, now: '28T03:00:01' }],
  ['a zone later', true, { schedule: LONDON, now: '30T02:00:01' }],
  ['every minute', false, { schedule: MINUTELY, now: '12T12:00:30', asked: '12T12:00:01' }],
])('%s: %s', (_, due, { schedule, now, changed = '01T00:00', asked, resumed }) => {
  const times = {
    resumedAtMs: resumed === undefined ? undefined : at(resumed),
    ...{ nowMs: at(now), changedAtMs: at(changed) },
    lastAskedAtMs: asked === undefined ? undefined : at(asked),
  }
  expect(isDue(schedule, times)).toBe(due)
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
  ['in a pause', { schedule: DAILY, now: '12T12:00', resumed: '12T11:00' }, 0],
  ['after a pause', { schedule: DAILY, now: '12T12:00', resumed: '12T02:00' }, 9 * 3_600],
  ['to be made up for', { schedule: CAUGHT_UP, now: '12T12:00', resumed: '12T11:59:50' }, 10],
])('overdue: %s', (_, { schedule, now, asked, resumed }, seconds) => {
  const times = {
    ...{ nowMs: at(now), changedAtMs: at('01T00:00') },
    lastAskedAtMs: asked === undefined ? undefined : at(asked),
    resumedAtMs: resumed === undefined ? undefined : at(resumed),
  }
  const { nowMs } = times
  expect((nowMs - (overdueSinceMs(schedule, times) ?? nowMs)) / 1_000).toBe(seconds)
})
