import { rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TaskRunner } from '../../../src/lake/jobs/task-runner.ts'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { scheduleTask } from '../../../src/modules/exports/export-schedule.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { writeTask } from './export-harness.ts'

const HOUR_MS = 3_600_000

/** Half past an hour, and then the next one. */
let offsetMs = 0
const ambient = { nowMs: () => Date.now() + offsetMs }
let replicas: TestService[] = []
const runners: TaskRunner[] = []
beforeEach(async () => {
  offsetMs = HOUR_MS - (Date.now() % HOUR_MS) + HOUR_MS / 2
  const first = await startTestService({ ambient })
  replicas = [first, await startTestService({ home: first.home, ambient })]
})
afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.close()))
  const [first, second] = replicas
  await second?.stop()
  await first?.close()
})

/** Each replica looks at its schedules, fifty times a second. */
function look(service: TestService): void {
  const { deps, home } = service
  const folder = new TaskFolder(join(home, 'exports'))
  const task = scheduleTask({ ...deps, tables: deps, files: new ExportFiles(deps), folder })
  const runner = new TaskRunner(deps, [{ ...task, everyMs: 20 }], { catchUpMs: 0 })
  runner.start()
  runners.push(runner)
}

test('a time of a schedule is one run, whichever replica sees it, and so is the next', async () => {
  const [service] = replicas as [TestService]
  const schema = { columns: [{ name: 'id', type: 'int' }] }
  await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
  const folder = join(service.home, 'exports')
  const task = { source: 'moraine', table: 's.t', where: 'true', mode: 'keep' }
  await writeTask(folder, 't', { 'task.json': { ...task, schedule: '30 * * * *' } })
  // Before the first time.
  const changed = (ambient.nowMs() - 10 * 60_000) / 1000
  await utimes(join(folder, 't/task.json'), changed, changed)
  replicas.forEach(look)
  const runs = async () => (await must(ask(service, '/v1/exports/t/runs'))).runs
  for (let ticks = 1; ticks <= 3; ticks++) {
    while ((await runs()).length < ticks || (await runs())[0].ended_at === null) await sleep(20)
    // Looked at again and again, with no run open to be joined.
    await sleep(500)
    expect(await runs()).toHaveLength(ticks)
    offsetMs += HOUR_MS
  }
})

test('new times of files, and runs of a clock that was ahead, leave no time out', async () => {
  const [service] = replicas as [TestService]
  const schema = { columns: [{ name: 'id', type: 'int' }] }
  await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
  const folder = join(service.home, 'exports')
  const task = { source: 'moraine', table: 's.t', where: 'true', mode: 'keep', catch_up: 'one' }
  const write = (schedule: string) => writeTask(folder, 't', { 'task.json': { ...task, schedule } })
  const runs = async () => (await must(ask(service, '/v1/exports/t/runs'))).runs
  const isRun = async (count: number) =>
    until(async () => (await runs()).length === count && (await runs())[0].ended_at !== null)
  /** The time of the files is that of the clock, as when they are mounted anew. */
  const mount = async () => {
    const now = ambient.nowMs() / 1000
    await utimes(join(folder, 't/task.json'), now, now)
  }
  await write('0 * * * *')
  await mount()
  look(service)
  await until(async () => (await runs()).length === 0 && (await noted(service)).length === 1)
  await runners.pop()?.close()

  offsetMs += HOUR_MS
  await mount()
  look(service)
  await isRun(1)

  await runners.pop()?.close()
  offsetMs += 5 * HOUR_MS
  await must(post(service, '/v1/exports/t/runs', {}), 202)
  await until(async () => (await runs())[0].ended_at !== null)
  const before = (await runs()).length
  offsetMs -= 4 * HOUR_MS
  look(service)
  await isRun(before + 1)

  // Other texts begin with the next time.
  await write('0 */2 * * *')
  await until(async () => (await noted(service))[0] !== undefined)
  await sleep(500)
  expect(await runs()).toHaveLength(before + 1)
})

test.each([
  ['noted by a clock that was ahead', 240 * HOUR_MS, 'stays'],
  ['its schedule was taken out, and put back', 0, 'unscheduled'],
  ['it was taken away, and put back', 0, 'gone'],
] as const)('a task begins anew with the next time: %s', async (_, aheadMs, how) => {
  const [service] = replicas as [TestService]
  const schema = { columns: [{ name: 'id', type: 'int' }] }
  await must(post(service, '/v1/tables', { name: 's.t', schema }), 201)
  const folder = join(service.home, 'exports')
  const task = { source: 'moraine', table: 's.t', where: 'true', mode: 'keep', catch_up: 'one' }
  const write = async (more: object) => {
    await writeTask(folder, 't', { 'task.json': { ...task, ...more } })
    const now = ambient.nowMs() / 1000
    await utimes(join(folder, 't/task.json'), now, now)
  }
  const runs = async () => (await must(ask(service, '/v1/exports/t/runs'))).runs
  await writeTask(folder, 'other', { 'task.json': task })
  offsetMs += aheadMs
  await write({ schedule: '0 * * * *' })
  look(service)
  await until(async () => (await noted(service)).length === 1)
  offsetMs -= aheadMs
  if (how === 'unscheduled') await write({})
  if (how === 'gone') await rm(join(folder, 't'), { recursive: true })
  if (how !== 'stays') await until(async () => (await noted(service)).length === 0)
  else
    await until(async () => ((await noted(service))[0] ?? Infinity) < ambient.nowMs() + 2 * HOUR_MS)
  offsetMs += HOUR_MS
  await write({ schedule: '0 * * * *' })
  if (how === 'stays') {
    await until(async () => (await runs()).length === 1)
    return
  }
  await until(async () => (await noted(service)).length === 1)
  await sleep(500)
  expect(await runs()).toHaveLength(0)
  offsetMs += HOUR_MS
  await until(async () => (await runs()).length === 1)
})

async function noted(service: TestService): Promise<readonly number[]> {
  const found = await service.deps.catalog.schedules.list()
  return [...found.values()].map(({ nextAtMs }) => nextAtMs)
}
