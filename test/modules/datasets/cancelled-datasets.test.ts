import { tellCancelled } from '../../../src/modules/datasets/tell-cancelled.ts'
import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { until } from '../../lake/jobs/background.ts'
import { type Caller, type KeyedService, startKeyedService } from '../access/keyed-service.ts'

/** Burns for a minute. */
const BURNING = { name: 'burning', sql: `SELECT count(*) AS n FROM ${joined('bcdefghij')}` }
const WAITING = { name: 'waiting', query: { source: { table: 'planets' }, filter: 'id > 1' } }

function joined(aliases: string): string {
  return ['planets', ...[...aliases].map((alias) => `planets ${alias}`)].join(', ')
}

let service: KeyedService
let reader: Caller
let other: Caller
beforeEach(async () => {
  service = await startKeyedService({ MORAINE_QUERIES_RUNNING: '1' })
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'planets', schema }), 201)
  const headers = { 'Content-Type': 'text/csv', Authorization: `Bearer ${admin.key}` }
  const body = `id\n${Array.from({ length: 200 }, (_, i) => i).join('\n')}\n`
  const path = `${service.url}/v1/tables/planets/files`
  expect((await fetch(path, { method: 'POST', headers, body })).status).toBe(201)
  reader = await service.newCaller({ '/v1/tables/planets': ['select'] })
  other = await service.newCaller({ '/v1/tables/planets': ['select'] })
})
afterEach(() => service.close())

function make({ key }: Caller, json: object): Promise<Answer> {
  const headers = { Authorization: `Bearer ${key}`, Prefer: 'respond-async' }
  return ask(service, '/v1/datasets', { method: 'POST', json, headers })
}

function statusOf(name: string): Promise<Json> {
  return must(service.admin.send('get', `/v1/datasets/${name}/1/status`))
}

async function jobOf(name: string): Promise<Json> {
  const { table_id: key } = await must(service.admin.send('get', `/v1/datasets/${name}/1`))
  const { jobs } = await must(service.admin.send('get', '/v1/jobs?kind=dataset'))
  return jobs.find((job: Json) => job.key === key)
}

async function burns(): Promise<void> {
  expect((await make(reader, BURNING)).status).toBe(202)
  await until(async () => (await statusOf('burning')).state === 'building')
}

async function expectCancelled(name: string): Promise<void> {
  await until(async () => (await statusOf(name)).state === 'failed')
  const { problem } = await statusOf(name)
  expect(problem).toMatchObject({ type: '/problems/dataset-cancelled', code: 'dataset-cancelled' })
  const found = await must(service.admin.send('get', `/v1/datasets/${name}/1`))
  expect([found.state, found.problem.code]).toEqual(['failed', 'dataset-cancelled'])
}

test('a dataset whose job was cancelled has failed, and is asked for again', async () => {
  await burns()
  expect((await make(reader, WAITING)).status).toBe(202)
  for (const name of ['waiting', 'burning']) {
    const { job_id: id } = await jobOf(name)
    await must(service.admin.send('delete', `/v1/jobs/${id}`))
    await expectCancelled(name)
  }
  const again = await make(reader, WAITING)
  expect([again.status, again.body.version]).toEqual([202, 2])
  const status = '/v1/datasets/waiting/2/status'
  await until(async () => (await must(reader.send('get', status))).state === 'ready')
})

test('whoever asked for a dataset stops the making of its rows, and nobody else', async () => {
  await burns()
  expect((await other.send('delete', '/v1/datasets/burning')).status).toBe(403)
  expect((await statusOf('burning')).state).toBe('building')
  await must(reader.send('delete', '/v1/datasets/burning'))
  await expectCancelled('burning')
  // What has ended is its card, which is its owner's to delete.
  expect((await reader.send('delete', '/v1/datasets/burning')).status).toBe(403)
})

test('it goes on for others who have asked for it, too', async () => {
  await burns()
  for (const caller of [reader, other]) expect((await make(caller, WAITING)).status).toBe(202)
  await must(reader.send('delete', '/v1/datasets/waiting'))
  expect((await statusOf('waiting')).state).toBe('queued')
  await must(other.send('delete', '/v1/datasets/waiting'))
  await expectCancelled('waiting')
})

test('who deletes a dataset in the making stops its job', async () => {
  await burns()
  const { job_id: id } = await jobOf('burning')
  await must(service.admin.send('delete', '/v1/datasets/burning'))
  const path = `/v1/jobs/${id}?wait=30`
  expect((await must(service.admin.send('get', path))).state).toBe('cancelled')
})

test('a cancel that was not told, since its process died, is told later, and once', async () => {
  await burns()
  expect((await make(reader, WAITING)).status).toBe(202)
  const { job_id: jobId } = await jobOf('waiting')
  const { deps } = service
  const tell = () => tellCancelled(deps).run(new AbortController().signal)
  await tell()
  expect((await statusOf('waiting')).state).toBe('queued')
  // As a process that dies at once would leave it.
  await deps.catalog.jobs.cancel({ jobId, nowMs: deps.ambient.nowMs() })
  const card = () => must(service.admin.send('get', '/v1/datasets/waiting/1'))
  expect((await card()).state).toBe('queued')
  await tell()
  expect(await card()).toMatchObject({ state: 'failed', problem: { code: 'dataset-cancelled' } })
  await expectCancelled('waiting')
  // One that was asked for again is its newer job's.
  expect((await make(reader, WAITING)).body.version).toBe(2)
  await tell()
  const { state } = await must(reader.send('get', '/v1/datasets/waiting/2/status'))
  // Its turn may have come.
  expect(['queued', 'building', 'ready']).toContain(state)
})
