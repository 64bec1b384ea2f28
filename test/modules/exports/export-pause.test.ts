import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { scheduleTask } from '../../../src/modules/exports/export-schedule.ts'
import type { ExportJobDependencies } from '../../../src/modules/exports/run-job.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from './export-harness.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
})
afterEach(() => service.close())

const JSON_OF_TASK = { mode: 'keep', source: 'gone' }
const folder = () => join(service.home, 'exports')
async function newTask(name: string, more: object = {}): Promise<void> {
  await writeTask(folder(), name, {
    'task.json': { ...JSON_OF_TASK, ...more },
    'select.sql': 'select 1',
  })
  // Ticks from before its last change are not its own.
  const long = new Date(Date.now() - 86_400_000)
  for (const file of ['task.json', 'select.sql'])
    await utimes(join(folder(), name, file), long, long)
}

/** What the schedule asks for at this moment, in a process that does no jobs. */
async function tick(): Promise<readonly string[]> {
  const { deps } = service
  const asked: string[] = []
  const jobs = {
    findByKey: async () => undefined,
    submit: async ({ key }: { key: string }) => {
      asked.push(key)
      return { job: {} }
    },
  } as unknown as ExportJobDependencies['jobs']
  const task = scheduleTask({
    ...deps,
    ...{ jobs, files: new ExportFiles(deps), folder: new TaskFolder(folder()) },
    tables: deps,
  })
  await task.run(new AbortController().signal)
  return asked
}

test('a task that is paused is not asked for until it is resumed', async () => {
  await newTask('a', { schedule: '* * * * *' })
  await newTask('b', { schedule: '* * * * *' })
  expect(await tick()).toEqual(['a', 'b'])
  const paused = await must(post(service, '/v1/exports/a/pause', {}))
  expect(paused).toEqual({ task: 'a', is_paused: true })
  expect(await must(post(service, '/v1/exports/a/pause', {}))).toEqual(paused)
  expect(await tick()).toEqual(['b'])
  expect((await must(ask(service, '/v1/exports/a'))).is_paused).toBe(true)
  const { exports } = await must(ask(service, '/v1/exports'))
  expect(exports.map(({ is_paused }: { is_paused: boolean }) => is_paused)).toEqual([true, false])
  await must(post(service, '/v1/exports/resume', {}))
  expect(await tick()).toEqual(['a', 'b'])
  await must(post(service, '/v1/exports/pause', {}))
  expect(await tick()).toEqual([])
})

test('several are paused, or none where one is unknown', async () => {
  await newTask('a')
  const { body } = await post(service, '/v1/exports/pause', { tasks: ['a', 'none'] })
  expect(body.type).toBe('/problems/export-not-found')
  expect((await must(ask(service, '/v1/exports/a'))).is_paused).toBe(false)
  const { tasks } = await must(post(service, '/v1/exports/pause', { tasks: ['a'] }))
  expect(tasks).toEqual([{ task: 'a', is_paused: true }])
})

test('all are run, and one that cannot be stops no other', async () => {
  await newTask('a')
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  const { runs } = await must(post(service, '/v1/exports/runs', {}), 202)
  expect(runs).toEqual([
    expect.objectContaining({ task: 'a', run_id: expect.any(String), problem: null }),
    expect.objectContaining({ task: 'broken', run_id: null, problem: expect.any(String) }),
  ])
})

test('a folder without a file of a task is none, and hides no other', async () => {
  await newTask('a')
  await mkdir(join(folder(), 'lost', 'a'), { recursive: true })
  await writeFile(join(folder(), 'README'), 'our exports')
  const { exports } = await must(ask(service, '/v1/exports'))
  expect(exports.map(({ task }: { task: string }) => task)).toEqual(['a'])
  expect((await must(ask(service, '/exports'))).exports).toEqual(['a'])
})

test('metrics tell which tasks fail, and which are overdue', async () => {
  await newTask('fails')
  // Half a year from now: it was not due today or yesterday.
  const month = ((new Date().getUTCMonth() + 6) % 12) + 1
  const late = { source: 'moraine', table: 't', where: 'true', schedule: `0 0 1 ${month} *` }
  await writeTask(folder(), 'late', { 'task.json': late })
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  await newTask('sourceless')
  await post(service, '/exports/fails', {})
  const metrics = async () => (await fetch(`${service.url}/metrics`)).text()
  const text = await metrics()
  expect(text).toContain('moraine_export_failing{task="fails"} 1')
  expect(text).toContain('moraine_export_failing{task="late"} 0')
  expect(text).toContain('moraine_export_failing{task="broken"} 1')
  expect(text).toContain('moraine_export_failing{task="sourceless"} 1')
  expect(text).toContain('moraine_export_overdue_seconds{task="late"} 0')
})
