import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

/** Burns for a minute, and takes the one place of its caller for so long. */
const BURNING = 'SELECT count(*) AS n FROM a, a b, a c, a d, a e, a f'
const ASYNC = { Prefer: 'respond-async' }

function make(service: { url: string }, wish: object): Promise<Answer> {
  return ask(service, '/v1/datasets', { method: 'POST', json: wish, headers: ASYNC })
}

async function statusOf(service: { url: string }, name: string): Promise<Json> {
  return must(ask(service, `/v1/datasets/${name}/status`))
}

/** Whether the engine has begun with it. */
async function runs(service: TestService): Promise<boolean> {
  return (await openJobs(service)).some(({ state }) => state === 'running')
}

async function openJobs({ deps }: TestService) {
  const jobs = await deps.jobs.list({ kind: 'dataset', limit: 9 })
  return jobs.filter(({ endedAtMs }) => endedAtMs === undefined)
}

/** Folders of hidden tables. */
async function hiddenFolders(home: string): Promise<readonly string[]> {
  const found = await readdir(join(home, 'warehouse'), { recursive: true })
  return found.filter((path) => path.includes('queued-'))
}

describe('while a dataset waits for its turn', () => {
  const clock = { aheadMs: 0 }
  let service: TestService
  beforeEach(async () => {
    clock.aheadMs = 0
    service = await startTestService({
      environment: { MORAINE_QUERIES_RUNNING: '1' },
      ambient: { nowMs: () => Date.now() + clock.aheadMs },
    })
    await makeTable(service, 'a', [rows(100)])
    await makeTable(service, 'gone', [rows(5)])
    expect((await make(service, { name: 'burning', sql: BURNING })).status).toBe(202)
    await until(() => runs(service))
    const query = { source: { table: 'gone' }, filter: 'id > 1' }
    const wish = { name: 'queued', query, ttl_seconds: 60 }
    expect((await make(service, wish)).status).toBe(202)
  })
  afterEach(() => service.close())

  /** Ends what burns, so that the turn of the other comes. */
  async function goOn(): Promise<void> {
    const before = (await openJobs(service)).at(-1)
    if (before !== undefined) await service.deps.jobs.cancel(before.jobId)
  }

  test('its source is dropped and purged: it has failed, and says why', async () => {
    await must(ask(service, '/v1/tables/gone?purge=now', { method: 'DELETE' }))
    await goOn()
    await until(async () => (await statusOf(service, 'queued')).state !== 'queued', 60_000)
    expect(await statusOf(service, 'queued')).toMatchObject({
      ...{ state: 'failed', problem: { type: '/problems/table-not-found' } },
    })
    const download = await ask(service, '/v1/datasets/queued/download?format=csv')
    expect([download.status, download.body.type]).toEqual([409, '/problems/dataset-not-ready'])
    expect(await hiddenFolders(service.home)).toEqual([])
  })

  test('its time is over: it has expired, and its job makes nothing', async () => {
    clock.aheadMs = 61_000
    expect((await statusOf(service, 'queued')).state).toBe('expired')
    expect((await ask(service, '/v1/datasets/queued')).body.type).toBe('/problems/dataset-gone')
    await goOn()
    await until(async () => (await openJobs(service)).length === 0, 60_000)
    expect((await statusOf(service, 'queued')).state).toBe('expired')
    expect(await hiddenFolders(service.home)).toEqual([])
  })
})
