import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { healthTask, readHealth } from '../../../src/modules/exports/export-health.ts'
import {
  type ScheduleDependencies,
  scheduleTask,
} from '../../../src/modules/exports/export-schedule.ts'
import { exportMeters } from '../../../src/modules/exports/http/export-meters.ts'
import type { ExportJobDependencies } from '../../../src/modules/exports/run-job.ts'
import { TaskFolder } from '../../../src/modules/exports/task-folder.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from './export-harness.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  // What the service's own look would claim is looked at here.
  const nowMs = Date.now()
  const tick = { name: 'schedule exports', tickMs: nowMs + 600_000, nowMs }
  await service.deps.catalog.jobs.claimTick(tick)
})
afterEach(() => service.close())

interface Told {
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Its table is not there: runs fail. */
const JSON_OF_TASK = { source: 'moraine', table: 'no.table', where: 'true' }
const folder = () => join(service.home, 'exports')
async function newTask(name: string, more: object = {}): Promise<void> {
  await writeTask(folder(), name, { 'task.json': { ...JSON_OF_TASK, ...more } })
  // Ticks from before its last change are not its own.
  const long = new Date(Date.now() - 86_400_000)
  await utimes(join(folder(), name, 'task.json'), long, long)
}

/** What the schedule asks for at this moment, in a process that does no jobs. */
async function tick(nowMs = Date.now()): Promise<readonly string[]> {
  const { deps } = service
  const asked: string[] = []
  const jobs = {
    findByKey: async () => undefined,
    submitDue: async (_: unknown, { key }: { key: string }) => void asked.push(key),
  } as unknown as ExportJobDependencies['jobs']
  const task = scheduleTask({
    ...deps,
    ...{ jobs, files: new ExportFiles(deps), folder: new TaskFolder(folder()) },
    ...{ tables: deps, ambient: { ...deps.ambient, nowMs: () => nowMs } },
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
  expect(await must(ask(service, '/v1/exports/a'))).toMatchObject({
    ...{ is_paused: true, next_run_at: null },
  })
  const { exports } = await must(ask(service, '/v1/exports'))
  expect(exports.map(({ is_paused }: { is_paused: boolean }) => is_paused)).toEqual([true, false])
  await must(post(service, '/v1/exports/resume', {}))
  const { next_run_at } = await must(ask(service, '/v1/exports/a'))
  expect(next_run_at).toMatch(/:00\.000Z$/)
  expect(Date.parse(next_run_at)).toBeGreaterThan(Date.now() - 60_000)
  const later = Date.now() + 120_000
  expect(await tick(later)).toEqual(['a', 'b'])
  await must(post(service, '/v1/exports/pause', {}))
  expect(await tick(later)).toEqual([])
})

test('a time that passed in a pause is made up for with catch_up, else left out', async () => {
  await newTask('a', { schedule: '* * * * *' })
  await newTask('b', { schedule: '* * * * *', catch_up: 'one' })
  for (const verb of ['pause', 'resume', 'pause', 'resume']) {
    await must(post(service, `/v1/exports/${verb}`, {}))
  }
  const noted = await service.deps.catalog.schedules.list()
  await sleep(2)
  // Resumed again, which changes nothing.
  await must(post(service, '/v1/exports/resume', {}))
  expect(await service.deps.catalog.schedules.list()).toEqual(noted)
  const resumedMs = noted.get('b')?.nextAtMs ?? 0
  expect(await tick(resumedMs)).toEqual(['b'])
  const health = await readHealth(partsOf(() => resumedMs))
  const late = health.filter(({ overdueSinceMs }) => overdueSinceMs !== undefined)
  expect(late.map(({ task }) => task)).toEqual(['b'])
})

test('a run is waited for no longer than its client says', async () => {
  await newTask('a')
  const sent = { method: 'POST', json: {}, headers: { Prefer: 'wait=60' } }
  const { status, body, headers } = await ask(service, '/v1/exports/a/runs', sent)
  expect([status, body.state, body.problem.code]).toEqual([200, 'failed', 'table-not-found'])
  expect(headers.get('preference-applied')).toBe('wait=60')
  expect(headers.get('location')).toBe(body.url)
  const got = await ask(service, body.url, { headers: { Prefer: 'wait=999' } })
  expect([got.body, got.headers.get('preference-applied')]).toEqual([body, 'wait=60'])

  // In a process that does no jobs it never ends.
  const { job } = await service.deps.jobs.submit({
    ...{ kind: 'export', key: 'a', input: { task: 'a' }, asker: 'x' },
    notBeforeMs: Date.now() + 600_000,
  })
  const waiting = await ask(service, '/v1/exports/a/runs', {
    ...sent,
    headers: { Prefer: 'wait=1' },
  })
  expect([waiting.status, waiting.body.run_id]).toEqual([202, job.jobId])
  expect(waiting.headers.get('preference-applied')).toBe('wait=1')
  const url = `/v1/exports/a/runs/${job.jobId}`
  const late = ask(service, url, { headers: { Prefer: 'wait=60' } })
  await must(ask(service, url, { method: 'DELETE' }))
  expect((await must(late)).state).toBe('cancelled')
  const plain = await ask(service, url)
  expect(plain.headers.get('preference-applied')).toBeNull()
})

test('runs are listed page by page, the newest first', async () => {
  for (const name of ['a', 'b']) await newTask(name)
  const runs: string[] = []
  for (let n = 0; n < 5; n++) {
    await post(service, '/exports/a', {})
    if (n % 2 === 0) await post(service, '/exports/b', {})
  }
  const pages: number[] = []
  for (let token = ''; ; ) {
    const path = `/v1/exports/a/runs?page_size=2${token && `&page_token=${token}`}`
    const page = await must(ask(service, path))
    pages.push(page.runs.length)
    runs.push(...page.runs.map((run: Json) => `${run.task} ${run.run_id}`))
    if (page.next_page_token === null) break
    token = page.next_page_token
  }
  expect(pages).toEqual([2, 2, 1])
  expect(new Set(runs).size).toBe(5)
  expect(runs.filter((run) => run.startsWith('b'))).toEqual([])
  const wrong = await ask(service, '/v1/exports/a/runs?page_token=x')
  expect(wrong.body.type).toBe('/problems/page-token-invalid')
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
  await newTask('sourceless', { source: 'gone' })
  const { runs } = await must(post(service, '/v1/exports/runs', {}), 202)
  expect(runs).toEqual([
    expect.objectContaining({ task: 'a', run_id: expect.any(String), problem: null }),
    expect.objectContaining({ task: 'broken', run_id: null, problem: expect.any(String) }),
    expect.objectContaining({ task: 'sourceless', run_id: null, problem: expect.any(String) }),
  ])
})

test('a run that could not begin is refused at once, with what is to be done', async () => {
  await newTask('sourceless', { source: 'gone' })
  for (const path of ['/v1/exports/sourceless/runs', '/exports/sourceless']) {
    const { status, body } = await post(service, path, {})
    expect([status, body.type]).toEqual([422, '/problems/export-task-unusable'])
    expect(body.detail).toMatch(/"gone" is not in MORAINE_EXPORT_SOURCES; add gone=postgres:/)
  }
  expect((await must(ask(service, '/v1/exports/sourceless/runs'))).runs).toEqual([])
})

test('who names no task is told which there are, and how many more', async () => {
  const missing = async (path: string, send = ask) => {
    const { status, body } = await send(service, path)
    expect(status).toBe(404)
    return [body.detail, body.exports]
  }
  const none = ['There is no export "x": there is no other that you may export', []]
  expect(await missing('/v1/exports/x')).toEqual(none)
  const names = Array.from({ length: 22 }, (_, index) => `a${10 + index}`)
  for (const name of names) await newTask(name)
  const first = names.slice(0, 20)
  const told = [`There is no export "x": there are ${first.join(', ')} and 2 more`, first]
  expect(await missing('/v1/exports/x')).toEqual(told)
  expect(await missing('/exports/x')).toEqual(told)
  const posted: typeof ask = (of, path) => post(of, path, {})
  for (const path of ['/v1/exports/x/runs', '/exports/x', '/v1/exports/x/pause']) {
    expect(await missing(path, posted)).toEqual(told)
  }
})

test('a task that cannot be scheduled is logged when that changes, in one line', async () => {
  await newTask('sourceless', { source: 'gone', schedule: '* * * * *' })
  await newTask('well', { schedule: '* * * * *' })
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  const logged: object[] = []
  const log = { ...service.deps.log, warn: (facts: object) => logged.push(facts) }
  const parts = { ...partsOf(Date.now), ...{ log, jobs: new Nothing() } }
  const task = scheduleTask(parts as unknown as ScheduleDependencies)
  const signal = new AbortController().signal
  for (let look = 0; look < 3; look++) await task.run(signal)
  const problem = (what: string) => expect.stringContaining(what)
  expect(logged).toEqual([
    { task: 'broken', problem: problem('JSON') },
    { task: 'sourceless', problem: problem('MORAINE_EXPORT_SOURCES') },
  ])
  await newTask('broken', { source: 'gone', schedule: '* * * * *' })
  await task.run(signal)
  await newTask('broken')
  await task.run(signal)
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  await task.run(signal)
  expect(logged.slice(2)).toEqual([
    { task: 'broken', problem: problem('MORAINE_EXPORT_SOURCES') },
    { task: 'broken', problem: problem('JSON') },
  ])
})

/** Jobs of a process that does none. */
class Nothing {
  findByKey = async () => undefined
  submitDue = async () => undefined
}

test('those that are named are run, each once, and none where one is unknown', async () => {
  for (const name of ['a', 'b']) await newTask(name)
  const { body } = await post(service, '/v1/exports/runs', { tasks: ['a', 'none'] })
  expect(body.type).toBe('/problems/export-not-found')
  expect((await must(ask(service, '/v1/exports/a/runs'))).runs).toEqual([])
  const { runs } = await must(post(service, '/v1/exports/runs', { tasks: ['a', 'a'] }), 202)
  expect(runs.map(({ task }: { task: string }) => task)).toEqual(['a'])
  expect((await must(ask(service, '/v1/exports/b/runs'))).runs).toEqual([])
})

test('what a body says and is not done is refused, and nothing is run', async () => {
  await newTask('a')
  for (const path of ['/v1/exports/runs', '/exports', '/exports/a', '/v1/exports/a/pause']) {
    const { status, body } = await post(service, path, { dry_run: true })
    expect([path, status, body?.type]).toEqual([path, 400, '/problems/request-invalid'])
  }
  const { runs } = await must(ask(service, '/v1/exports/a/runs'))
  expect([runs, (await must(ask(service, '/v1/exports/a'))).is_paused]).toEqual([[], false])
})

test('a folder without a file of a task is none, and hides no other', async () => {
  await newTask('a')
  await mkdir(join(folder(), 'lost', 'a'), { recursive: true })
  await writeFile(join(folder(), 'README'), 'our exports')
  const { exports } = await must(ask(service, '/v1/exports'))
  expect(exports.map(({ task }: { task: string }) => task)).toEqual(['a'])
  expect((await must(ask(service, '/exports'))).exports).toEqual(['a'])
})

test('a task whose folder has a name that none can have says so, in list and log', async () => {
  const empty = await must(ask(service, '/v1/exports'))
  expect(empty).toEqual({ exports: [], problem: expect.stringMatching(/ENOENT.*MORAINE_EXPORTS/) })
  await newTask('a')
  for (const name of ['a b', '.git']) await newTask(name)
  await mkdir(join(folder(), 'my notes'))
  const { exports, problem } = await must(ask(service, '/v1/exports'))
  expect(problem).toBeNull()
  expect(exports.map(({ task, problem }: Json) => [task, problem])).toEqual([
    ['a', null],
    ['a b', expect.stringMatching(/letters, digits, - and _ only.*rename it/)],
  ])
  expect((await must(ask(service, '/exports'))).exports).toEqual(['a'])
  const logged: object[] = []
  const log = { ...service.deps.log, warn: (facts: object) => logged.push(facts) }
  const parts = { ...partsOf(Date.now), ...{ log, jobs: new Nothing() } }
  const task = scheduleTask(parts as unknown as ScheduleDependencies)
  for (let look = 0; look < 2; look++) await task.run(new AbortController().signal)
  expect(logged).toEqual([{ task: 'a b', problem: exports[1].problem }])
})

/** The parts of an export's tasks, in a process that does no jobs. */
function partsOf(nowMs: () => number, changed: object = {}) {
  const { deps } = service
  const { catalog } = deps
  const jobs = {
    findByKey: (of: { readonly kind: string; readonly key: string }) =>
      catalog.jobs.findByKey({ ...of, nowMs: nowMs() }),
    ...changed,
  } as unknown as ExportJobDependencies['jobs']
  const { ambient } = deps
  return {
    ...{ ...deps, jobs, files: new ExportFiles(deps), folder: new TaskFolder(folder()) },
    ...{ tables: deps, ambient: { ...ambient, nowMs } },
  }
}
const eventsOf = async (type: string) =>
  (await must(ask(service, `/v1/events?types=moraine.export.${type}.v1`))).events

test('each failure, and each time that passed without a run, is one event', async () => {
  await newTask('fails')
  await newTask('well')
  await newTask('late', { schedule: '0 3 * * *' })
  await newTask('paused', { schedule: '0 3 * * *' })
  await must(post(service, '/v1/exports/paused/pause', {}))
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  await newTask('sourceless', { source: 'gone' })
  await post(service, '/exports/fails', {})
  // Ticks of two days, and long after the files were changed.
  const nextDay = Math.ceil(Date.now() / 86_400_000) * 86_400_000
  let nowMs = nextDay + 3 * 3_600_000 + 30_000
  const signal = new AbortController().signal
  const task = healthTask(partsOf(() => nowMs))
  await task.run(signal)
  expect(await eventsOf('overdue')).toEqual([])
  nowMs += 60_000
  await task.run(signal)
  await task.run(signal)
  nowMs += 86_400_000
  await task.run(signal)
  const { runs } = await must(ask(service, '/v1/exports/fails/runs'))
  const failing = await eventsOf('failing')
  const told = failing.map(({ subject, data }: Told) => [subject, data['run_id'], data['problem']])
  expect(told.sort()).toEqual([
    ['export:broken', null, '/problems/export-task-unusable'],
    ['export:fails', runs[0].run_id, '/problems/table-not-found'],
    ['export:sourceless', null, '/problems/export-task-unusable'],
  ])
  const due = (await eventsOf('overdue')).map(({ subject, data }: Told) => [
    subject,
    data['due_at'],
  ])
  const at = (ms: number) => new Date(ms + 3 * 3_600_000).toISOString()
  expect(due).toEqual([
    ['export:late', at(nextDay)],
    ['export:late', at(nextDay + 86_400_000)],
  ])
  // Another failure is another event; so is another fault in the files.
  await post(service, '/exports/fails', {})
  await writeTask(folder(), 'broken', { 'task.json': '{{' })
  await utimes(join(folder(), 'broken', 'task.json'), new Date(), new Date(Date.now() + 5_000))
  await task.run(signal)
  expect(await eventsOf('failing')).toHaveLength(5)
})

test('a scrape reads the job of each export once', async () => {
  await newTask('a', { schedule: '0 3 * * *' })
  await newTask('b')
  const read: string[] = []
  const findByKey = async ({ key }: { key: string }) => {
    read.push(key)
    return undefined
  }
  const registry = new Registry()
  for (const meter of exportMeters(partsOf(Date.now, { findByKey }))) registry.registerMetric(meter)
  const text = await registry.metrics()
  expect(text).toContain('moraine_export_failing{task="a"} 0')
  expect(text).toContain('moraine_export_overdue_seconds{task="b"} 0')
  expect(read.sort()).toEqual(['a', 'b'])
})

test('metrics tell which tasks fail, and which are overdue', async () => {
  await newTask('fails')
  // Half a year from now: it was not due today or yesterday.
  const month = ((new Date().getUTCMonth() + 6) % 12) + 1
  await newTask('late', { schedule: `0 0 1 ${month} *` })
  await writeTask(folder(), 'broken', { 'task.json': '{' })
  await newTask('sourceless', { source: 'gone' })
  await post(service, '/exports/fails', {})
  const metrics = async () => (await fetch(`${service.url}/metrics`)).text()
  const text = await metrics()
  expect(text).toContain('moraine_export_failing{task="fails"} 1')
  expect(text).toContain('moraine_export_failing{task="late"} 0')
  expect(text).toContain('moraine_export_failing{task="broken"} 1')
  expect(text).toContain('moraine_export_failing{task="sourceless"} 1')
  expect(text).toContain('moraine_export_overdue_seconds{task="late"} 0')
})
