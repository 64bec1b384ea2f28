import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { writeTask } from './export-harness.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  const task = { source: 'moraine', table: 'no.table', where: 'true' }
  await writeTask(join(service.home, 'exports'), 'a', { 'task.json': task })
})
afterEach(() => service.close())

/** A run that does not begin: who asks for the task joins it. */
async function newRun(): Promise<string> {
  const { job } = await service.deps.jobs.submit({
    ...{ kind: 'export', key: 'a', input: { task: 'a' }, asker: 'x' },
    notBeforeMs: Date.now() + 600_000,
  })
  return job.jobId
}

/** Nobody else can wait, until the service ends. */
function fill(): void {
  const { waiters } = service.deps
  const { signal } = new AbortController()
  const waits = (waiting: AbortSignal) =>
    new Promise<void>((resolve) => waiting.addEventListener('abort', () => resolve()))
  while (waiters.count < 1_000) void waiters.wait(signal, waits)
}

const run = (headers: Readonly<Record<string, string>>) =>
  ask(service, '/v1/exports/a/runs', { method: 'POST', json: {}, headers })

test('when too many wait, a run is told at once, or not begun', async () => {
  fill()
  expect((await post(service, '/exports/a', {})).status).toBe(503)
  expect((await post(service, '/exports', {})).status).toBe(503)
  expect((await must(ask(service, '/v1/exports/a/runs'))).runs).toEqual([])
  const runId = await newRun()
  const { status, body, headers } = await run({ Prefer: 'wait=60' })
  expect([status, body.run_id]).toEqual([202, runId])
  expect(headers.get('preference-applied')).toBeNull()
  const got = await ask(service, body.url, { headers: { Prefer: 'wait=60' } })
  expect([got.status, got.body.type]).toEqual([503, '/problems/overloaded'])
})

test('the answer to a request for a run is kept before the run is waited for', async () => {
  const runId = await newRun()
  const headers = { Prefer: 'wait=60', 'Idempotency-Key': randomUUID() }
  const first = run(headers)
  let again = await run(headers)
  while (again.status === 409) again = await run(headers)
  expect([again.status, again.body.run_id]).toEqual([202, runId])
  expect(again.headers.get('location')).toBe(again.body.url)
  await must(ask(service, again.body.url, { method: 'DELETE' }))
  expect((await first).body).toMatchObject({ run_id: runId, state: 'cancelled' })
  expect((await run(headers)).body).toEqual(again.body)
  expect((await must(ask(service, '/v1/exports/a/runs'))).runs).toHaveLength(1)
})

test('when too many wait, datasets and dumps that are asked for are told at once', async () => {
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 'planets', schema }), 201)
  const csv = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: 'id\n1\n2\n' }
  expect((await fetch(`${service.url}/v1/tables/planets/files`, csv)).status).toBe(201)
  fill()
  const json = { name: 'some', query: { source: { table: 'planets' }, filter: 'id > 1' } }
  expect((await ask(service, '/v1/datasets', { method: 'POST', json })).status).toBe(202)
  const headers = { Prefer: 'respond-async, wait=10' }
  expect((await fetch(`${service.url}/v1/tables/planets/dump`, { headers })).status).toBe(202)
})
