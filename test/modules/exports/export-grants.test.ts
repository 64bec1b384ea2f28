import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { must } from '../../http/client.ts'
import { until } from '../../lake/jobs/background.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { untilAudited } from '../audit/until-audited.ts'
import { writeTask } from './export-harness.ts'

/** A source that is away: runs wait for their next attempt. */
const SOURCES = { MORAINE_EXPORT_SOURCES: 'away=postgres://nobody@127.0.0.1:1/nothing' }
const TASK = { 'task.json': { source: 'away', table: 't', where: 'true' } }

interface Row {
  readonly principal: string
  readonly target: { readonly kind: string; readonly id: string }
  readonly after: object
}

const whose = ({ principal, target: { kind, id } }: Row) => ({ principal, kind, id })

let service: KeyedService
let exporter: Caller
let other: Caller
let reader: Caller
beforeAll(async () => {
  service = await startKeyedService(SOURCES)
  for (const name of ['mine', 'both', 'others', 'Mine']) {
    await writeTask(`${service.home}/exports`, name, TASK)
  }
  const of = (...tasks: readonly string[]) =>
    Object.fromEntries(tasks.map((task) => [`/v1/exports/${task}`, ['export']]))
  exporter = await service.newCaller(of('mine', 'both'))
  other = await service.newCaller(of('both', 'others'))
  reader = await service.newCaller({ '/v1': ['describe', 'modify'] })
})
afterAll(() => service.close())

const tasksOf = async (caller: Caller, path: string) =>
  (await must(caller.send('get', path))).exports.map((each: { task: string }) => each.task ?? each)

test('lists have the tasks that are granted, by their very names', async () => {
  expect(await tasksOf(exporter, '/v1/exports')).toEqual(['both', 'mine'])
  expect(await tasksOf(other, '/exports')).toEqual(['both', 'others'])
  expect(await tasksOf(reader, '/v1/exports')).toEqual([])
  expect(await tasksOf(service.admin, '/v1/exports')).toEqual(['Mine', 'both', 'mine', 'others'])
  expect((await service.nobody.send('get', '/v1/exports')).status).toBe(401)
})

test.each([
  ['get', '/v1/exports/others'],
  ['get', '/exports/others'],
  ['post', '/exports/others'],
  ['post', '/v1/exports/others/runs'],
  ['get', '/v1/exports/others/runs'],
  ['get', '/v1/exports/others/files'],
  ['get', '/v1/exports/others/files/x.csv'],
  ['post', '/v1/exports/others/pause'],
  ['post', '/v1/exports/pause'],
])('%s %s is as if the task were not there', async (method, path) => {
  const sent = (caller: Caller, to: string) => {
    const tasks = ['mine', 'others']
    return caller.send(method, to, to === '/v1/exports/pause' ? { tasks } : undefined)
  }
  const { status, body } = await sent(exporter, path)
  expect([status, body.type]).toEqual([404, '/problems/export-not-found'])
  // Whoever may know of everything is told what is missing.
  expect((await sent(reader, path)).status).toBe(403)
  expect((await must(service.admin.send('get', '/v1/exports/mine'))).is_paused).toBe(false)
})

test('as a job, a run is seen by its askers and administrators only', async () => {
  const third = await service.newCaller({ '/v1/exports/both': ['export'], '/v1': ['modify'] })
  const asked = await must(exporter.send('post', '/v1/exports/both/runs', {}), 202)
  const joined = await must(other.send('post', '/v1/exports/both/runs', {}), 202)
  expect(joined.run_id).toBe(asked.run_id)
  const job = `/v1/jobs/${asked.run_id}`
  for (const caller of [exporter, third]) {
    await must(caller.send('get', asked.url))
    await must(caller.send('get', `${asked.url}/log`))
  }
  for (const caller of [third, reader, service.nobody]) {
    for (const method of ['get', 'delete']) {
      expect([401, 403, 404]).toContain((await caller.send(method, job)).status)
    }
  }
  const { jobs } = await must(reader.send('get', '/v1/jobs'))
  expect(jobs.filter(({ kind }: { kind: string }) => kind === 'export')).toEqual([])
  const seen = (await must(service.admin.send('get', '/v1/jobs?kind=export'))).jobs
  expect(seen.map(({ job_id }: { job_id: string }) => job_id)).toContain(asked.run_id)
  await must(service.admin.send('get', job))
  expect(await must(other.send('get', job))).toMatchObject({ kind: 'export', key: 'both' })
  // As at the address of the run: one of two has withdrawn, and cannot do so for the other.
  for (let time = 0; time < 2; time++) await must(exporter.send('delete', job))
  expect((await must(other.send('get', job))).is_cancelled).toBe(false)
  expect((await must(other.send('delete', job))).is_cancelled).toBe(true)
  await untilAudited(service)
  const path = '/v1/audit-logs?subject=export:both&action=export.asked&page_size=100'
  const { audit_logs } = await must(service.admin.send('get', path))
  expect(audit_logs.slice(0, 3).map((row: Row) => ({ ...row.after, by: row.principal }))).toEqual(
    [other, exporter, exporter].map(({ principal }) => ({
      ...{ task: 'both', asked_for: 'cancel', run_id: asked.run_id, by: principal },
    })),
  )
})

test('a run that a schedule asked for is withdrawn by whoever may export the task', async () => {
  await writeTask(`${service.home}/exports`, 'nightly', TASK)
  const caller = await service.newCaller({ '/v1/exports/nightly': ['export'] })
  const submit = async () => {
    const key = 'nightly'
    const wish = { kind: 'export', key, input: { task: key }, asker: 'schedule' }
    return (await service.deps.jobs.submit(wish)).job.jobId
  }
  const url = (id: string) => `/v1/exports/nightly/runs/${id}`
  for (const address of [url, (id: string) => `/v1/jobs/${id}`]) {
    const id = await submit()
    for (const stranger of [exporter, reader]) {
      expect([403, 404]).toContain((await stranger.send('get', address(id))).status)
      expect([403, 404]).toContain((await stranger.send('delete', address(id))).status)
    }
    await must(caller.send('get', address(id)))
    expect((await must(caller.send('delete', address(id)))).is_cancelled).toBe(true)
    await until(async () => (await must(caller.send('get', url(id)))).state === 'cancelled')
  }
})

test('one who withdraws ends the run for those only who asked for it', async () => {
  const keyed = await startKeyedService(SOURCES)
  try {
    await writeTask(`${keyed.home}/exports`, 'a', TASK)
    const grant = { '/v1/exports/a': ['export'] }
    const [one, two, third] = await Promise.all([1, 2, 3].map(() => keyed.newCaller(grant)))
    if (one === undefined || two === undefined || third === undefined) throw new Error('no callers')
    const { url, run_id } = await must(one.send('post', '/v1/exports/a/runs', {}), 202)
    const isCancelled = async () =>
      (await must(keyed.admin.send('get', `/v1/jobs/${run_id}`))).is_cancelled
    await must(two.send('post', '/v1/exports/a/runs', {}), 202)
    for (const [each, status] of [
      [third, 403] as const,
      [one, 200] as const,
      // As a client does that has not heard the answer.
      [one, 200] as const,
    ]) {
      const { is_cancelled = false } = await must(each.send('delete', url), status)
      expect([is_cancelled, await isCancelled()]).toEqual([false, false])
    }
    expect((await must(two.send('delete', url))).is_cancelled).toBe(true)
    expect(await isCancelled()).toBe(true)
    for (;;) {
      const { state } = await must(two.send('get', url))
      if (state === 'cancelled') break
      expect(['waiting', 'running']).toContain(state)
      await sleep(50)
    }
    // One that has ended stays as it is, whoever asks.
    expect((await must(third.send('delete', url))).state).toBe('cancelled')
    const none = url.replace(/[^/]+$/, 'none')
    expect((await one.send('delete', none)).body.type).toBe('/problems/export-run-not-found')
    const again = await must(one.send('post', '/v1/exports/a/runs', {}), 202)
    const ended = await must(keyed.admin.send('delete', again.url))
    expect(['cancelled', 'running']).toContain(ended.state)
  } finally {
    await keyed.close()
  }
})

test('all are run that are granted', async () => {
  const { runs } = await must(exporter.send('post', '/v1/exports/runs', {}), 202)
  expect(runs.map(({ task }: { task: string }) => task)).toEqual(['both', 'mine'])
})

test('permissions on a task are listed, checked, told of and taken away', async () => {
  const { admin } = service
  const path = '/v1/exports/mine/permissions'
  const { permissions } = await must(admin.send('get', path))
  expect(permissions).toEqual([{ principal: exporter.principal, privilege: 'export' }])
  expect(await must(exporter.send('get', `${path}/check?privilege=export`))).toEqual({
    allowed: true,
    restricted: false,
    because: [{ privilege: 'export', on: 'mine', through: exporter.principal }],
  })
  const { grants } = await must(exporter.send('get', `/v1/principals/${exporter.principal}/grants`))
  expect(grants).toContainEqual({
    ...{ privilege: 'export', on: 'export', name: 'mine', through: exporter.principal },
  })
  const { events } = await must(
    admin.send('get', '/v1/events?types=moraine.permissions.changed.v1&subject=export:mine'),
  )
  expect(events[0]).toMatchObject({ data: { granted: [{ privilege: 'export' }] } })
  // Who may run it may not share it.
  const mine = { principal: other.principal, privilege: 'export' }
  expect((await exporter.send('post', path, { grant: [mine] })).status).toBe(403)
  await must(admin.send('post', path, { revoke: permissions }))
  expect((await exporter.send('get', '/v1/exports/mine')).status).toBe(404)
  await must(admin.send('post', path, { grant: permissions }))
  await must(exporter.send('get', '/v1/exports/mine'))
})

test('whoever may export what is gone is told only of what else they may', async () => {
  await writeTask(`${service.home}/exports`, 'gone', TASK)
  const grants = { '/v1/exports/gone': ['export'], '/v1/exports/both': ['export'] }
  const caller = await service.newCaller(grants)
  await must(caller.send('get', '/v1/exports/gone'))
  await rm(`${service.home}/exports/gone`, { recursive: true })
  for (const path of ['/v1/exports/gone', '/exports/gone']) {
    expect((await caller.send('get', path)).body).toMatchObject({ status: 404, exports: ['both'] })
  }
})

test('export is granted on tasks only, and tasks have no other privilege', async () => {
  const grant = (path: string, privilege: string) =>
    service.admin.send('post', `${path}/permissions`, {
      grant: [{ principal: other.principal, privilege }],
    })
  for (const [path, privilege] of [
    ['/v1', 'export'],
    ['/v1/exports/mine', 'select'],
    ['/v1/exports/mine', 'admin'],
    ['/v1/exports/none', 'export'],
  ] as const) {
    const expected = path.endsWith('none') ? 404 : 400
    expect([path, (await grant(path, privilege)).status]).toEqual([path, expected])
  }
})

test('what is granted on a task outlives the search for what is gone', async () => {
  const { grants } = service.deps.catalog
  const nowMs = Date.now()
  await grants.forgetOrphans({ nowMs, beforeMs: nowMs })
  await grants.forgetOrphans({ nowMs: nowMs + 2, beforeMs: nowMs + 1 })
  expect(await grants.listOn(['export:mine'])).toHaveLength(1)
})

test('who asks for a run, a pause, a resumption or a withdrawal is in the audit', async () => {
  const { admin } = service
  const sent = (method: string, path: string) => exporter.send(method, path, {})
  const { run_id, url } = await must(sent('post', '/v1/exports/mine/runs'), 202)
  await must(sent('post', '/v1/exports/runs'), 202)
  await must(sent('post', '/v1/exports/mine/pause'))
  await must(sent('post', '/v1/exports/resume'))
  await must(exporter.send('delete', url))
  await must(exporter.send('get', url))
  await untilAudited(service)
  const { audit_logs } = await must(
    admin.send('get', '/v1/audit-logs?subject=export:mine&action=export.asked&page_size=100'),
  )
  const asked = audit_logs.slice(0, 5).map((row: Row) => ({ ...row.after, ...whose(row) }))
  const by = { principal: exporter.principal, kind: 'export', id: 'export:mine', task: 'mine' }
  expect(asked).toEqual([
    { ...by, asked_for: 'cancel', run_id },
    { ...by, asked_for: 'resume' },
    { ...by, asked_for: 'pause' },
    { ...by, asked_for: 'run' },
    { ...by, asked_for: 'run' },
  ])
  expect(audit_logs[0]).toMatchObject({
    request_id: expect.any(String),
    address: expect.stringContaining('127.0.0.1'),
  })
})
