import { getEventListeners } from 'node:events'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { Lease } from '../../../src/lake/jobs/lease.ts'
import { ticksOf } from '../../../src/lake/jobs/schedule.ts'
import type { Task } from '../../../src/lake/jobs/task.ts'
import { TaskRunner } from '../../../src/lake/jobs/task-runner.ts'
import { realAmbient, until } from './background.ts'

let catalog: Catalog
const warnings: string[] = []
const log = { warn: (_: unknown, message: string) => void warnings.push(message) }
let runners: TaskRunner[] = []
beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  warnings.length = 0
  runners = []
})
afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.close()))
  await catalog.close()
})

function start(tasks: readonly Task[], nowMs = () => Date.now()): TaskRunner {
  const ambient = { ...realAmbient, nowMs }
  const runner = new TaskRunner({ catalog, ambient, log }, tasks, { catchUpMs: 0 })
  runners.push(runner)
  runner.start()
  return runner
}

test('of several replicas one does each tick, and none is done by two at a time', async () => {
  const ran: number[] = []
  let atOnce = 0
  let atOnceMax = 0
  const task: Task = {
    name: 'count',
    everyMs: 20,
    run: async () => {
      atOnceMax = Math.max(atOnceMax, ++atOnce)
      ran.push(Math.floor(Date.now() / 20))
      await new Promise((resolve) => setTimeout(resolve, 5))
      atOnce--
    },
  }
  for (let replica = 0; replica < 3; replica++) start([task])
  await until(() => ran.length >= 8)
  expect(atOnceMax).toBe(1)
})

test('a tick that was done is not done again after a restart; a missed one is', async () => {
  let ran = 0
  const task: Task = { name: 'hourly', everyMs: 3_600_000, run: async () => void ran++ }
  const hour = Date.UTC(2026, 10, 27, 12)
  const startAt = async (nowMs: number) => {
    const runner = start([task], () => nowMs)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await runner.close()
  }
  await startAt(hour + 60_000)
  expect(ran).toBe(1)
  await startAt(hour + 120_000)
  expect(ran).toBe(1)
  await startAt(hour + 3_600_000)
  expect(ran).toBe(2)
})

test.each([
  ['days', 240],
  ['a time zone', 1],
  ['some minutes', 0.05],
])('a clock that was ahead by %s, and is put right, stops nothing', async (_, hours) => {
  let ran = 0
  let aheadMs = hours * 3_600_000
  start([{ name: 'often', everyMs: 10, run: async () => void ran++ }], () => Date.now() + aheadMs)
  await until(() => ran >= 2)
  aheadMs = 0
  const before = ran
  await until(() => ran >= before + 3)
})

test('a failure is logged, and keeps no later tick from running', async () => {
  let ran = 0
  const run = async () => {
    ran++
    throw new Error('no luck')
  }
  start([{ name: 'fails', everyMs: 10, run }])
  await until(() => ran >= 3)
  expect(warnings).toContain('a task failed')
})

test('the end of the service reaches a task that runs', async () => {
  let isTold = false
  const run = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        isTold = true
        resolve()
      })
      begun = true
    })
  let begun = false
  const runner = start([{ name: 'long', everyMs: 10, run }])
  await until(() => begun)
  await runner.close()
  expect(isTold).toBe(true)
})

test('a time of day is that of its zone, over the change of the clocks, too', () => {
  const { next } = ticksOf({ cron: '30 3 * * *', zone: 'Europe/Berlin' })
  const winter = Date.UTC(2026, 9, 24, 1, 30)
  expect(next(Date.UTC(2026, 9, 23, 12))).toBe(winter)
  // The clocks go back in the night of the 25th: a day of 25 hours.
  expect(next(winter)).toBe(winter + 25 * 3_600_000)
  expect(ticksOf({ cron: '0 3 * * *' }).next(Date.UTC(2026, 0, 1))).toBe(Date.UTC(2026, 0, 1, 3))
})

test('what is no schedule is refused at the start', () => {
  const refused = [{ cron: 'never' }, { cron: '0 3 * * *', zone: 'Mars/Olympus' }, { everyMs: 0 }]
  for (const schedule of refused) expect(() => ticksOf(schedule)).toThrow()
})

test('with however many tasks Node suspects no leak, and a lease leaves none', async () => {
  const suspicions: string[] = []
  const listen = ({ name }: Error) => void suspicions.push(name)
  process.on('warning', listen)
  try {
    let ran = 0
    const tasks = Array.from({ length: 15 }, (_, i): Task => {
      return { name: `task ${i}`, everyMs: 20, run: async () => void ran++ }
    })
    start(tasks)
    await until(() => ran >= 30)
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) {
      const wish = { name: `lease ${i}`, signal }
      const lease = await Lease.acquire({ catalog, ambient: realAmbient, log }, wish)
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      await lease.release()
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(suspicions).toEqual([])
  } finally {
    process.off('warning', listen)
  }
})
