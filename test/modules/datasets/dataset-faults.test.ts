import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { CatalogError } from '../../../src/core/errors.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { changed, withStore } from '../../lake/failing-disk.ts'
import { until } from '../../lake/jobs/background.ts'
import { isInFolder, testOfFiles } from '../../objects/stores/test-store.ts'
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

/** Deletes the data files that an attempt has placed, as a sweep does that finds them due. */
async function deletePlaced(
  { deletions }: Catalog,
  objects: ObjectStore,
  tableUuid: string,
): Promise<void> {
  const query = { nowMs: Number.MAX_SAFE_INTEGER, tableUuid, limit: 9 }
  const placed = (await deletions.listDue(query)).filter(({ path }) => path.endsWith('.parquet'))
  expect(placed).toHaveLength(1)
  for (const { path } of placed) await objects.delete(path)
  await deletions.update(placed, { state: 'unlinked', dueAtMs: Date.now() + 3_600_000 })
}

/** Waits until it is made, or has failed. */
async function untilMade(service: TestService, name: string): Promise<void> {
  const isMaking = async () =>
    ['queued', 'building'].includes((await statusOf(service, name)).state)
  await until(async () => !(await isMaking()), 60_000)
}

/** Files of hidden tables of that name, and folders where there are any. */
async function filesOf({ deps, home }: TestService, name: string): Promise<readonly string[]> {
  if (isInFolder) {
    const paths = await readdir(join(home, 'warehouse'), { recursive: true })
    return paths.filter((path) => path.includes(`${name}-`))
  }
  const found: string[] = []
  for await (const { location } of deps.objects.list(deps.warehouse)) {
    if (location.includes(`${name}-`)) found.push(location)
  }
  return found
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

  test.each([undefined, 'bytes=0-9', 'bytes=-1'])(
    'nothing of it is downloaded yet: Range %s',
    async (range) => {
      const headers: Record<string, string> = range === undefined ? {} : { Range: range }
      const { status, body } = await ask(service, '/v1/datasets/queued/download', { headers })
      expect([status, body.type]).toEqual([409, '/problems/dataset-not-ready'])
      expect(body.status_url).toBe('/v1/datasets/queued/1/status')
    },
  )

  test('its source is dropped and purged: it has failed, and says why', async () => {
    await must(ask(service, '/v1/tables/gone?purge=now', { method: 'DELETE' }))
    await goOn()
    await untilMade(service, 'queued')
    expect(await statusOf(service, 'queued')).toMatchObject({
      ...{ state: 'failed', problem: { type: '/problems/table-not-found' } },
    })
    const download = await ask(service, '/v1/datasets/queued/download?format=csv')
    expect([download.status, download.body.type]).toEqual([409, '/problems/dataset-not-ready'])
    expect(await filesOf(service, 'queued')).toEqual([])
  })

  test('its source is read by other names meanwhile: it has failed, and says why', async () => {
    const sql = 'SELECT name FROM gone'
    expect((await make(service, { name: 'text', sql })).status).toBe(202)
    const mapping = [{ 'field-id': 1, names: ['other'] }]
    const updates = { 'schema.name-mapping.default': JSON.stringify(mapping) }
    const json = { requirements: [], updates: [{ action: 'set-properties', updates }] }
    const path = '/iceberg/v1/namespaces/default/tables/gone'
    await must(ask(service, path, { method: 'POST', json }))
    await goOn()
    for (const name of ['queued', 'text']) {
      await untilMade(service, name)
      expect(await statusOf(service, name)).toMatchObject({
        ...{ state: 'failed', problem: { type: '/problems/dataset-source-changed' } },
      })
    }
    const query = { source: { table: 'gone' }, filter: 'id > 1' }
    const again = await make(service, { name: 'queued', query })
    expect([again.status, again.body.version]).toEqual([202, 2])
    await untilMade(service, 'queued')
    expect(await statusOf(service, 'queued')).toMatchObject({ state: 'ready' })
  })

  testOfFiles(
    'its warehouse is away when its turn comes: it is made once that is back',
    async () => {
      const warehouse = join(service.home, 'warehouse')
      await rename(warehouse, `${warehouse}.away`)
      await mkdir(warehouse)
      await goOn()
      const problemOf = async () =>
        (await openJobs(service)).find(({ problem }) => problem !== undefined)?.problem?.code
      await until(async () => (await problemOf()) !== undefined, 60_000)
      expect(await problemOf()).toBe('warehouse-unavailable')
      await rm(warehouse, { recursive: true })
      await rename(`${warehouse}.away`, warehouse)
      expect((await statusOf(service, 'queued')).state).toBe('queued')
      clock.aheadMs = 20_000
      await untilMade(service, 'queued')
      expect(await statusOf(service, 'queued')).toMatchObject({ state: 'ready' })
    },
  )

  test('its time is over: it has expired, and its job makes nothing', async () => {
    clock.aheadMs = 61_000
    expect((await statusOf(service, 'queued')).state).toBe('expired')
    expect((await ask(service, '/v1/datasets/queued')).body.type).toBe('/problems/dataset-gone')
    await goOn()
    await until(async () => (await openJobs(service)).length === 0, 60_000)
    expect((await statusOf(service, 'queued')).state).toBe('expired')
    expect(await filesOf(service, 'queued')).toEqual([])
  })

  test('its snapshot is expired: it has failed, and says why', async () => {
    const first = (await must(ask(service, '/v1/tables/gone'))).snapshot.snapshot_id
    await makeTable(service, 'gone', [rows(1)])
    const updates = [{ action: 'remove-snapshots', 'snapshot-ids': [Number(first)] }]
    const raw = JSON.stringify({ requirements: [], updates }).replace(/\[\d+\]/, `[${first}]`)
    const headers = { 'Content-Type': 'application/json' }
    const path = '/iceberg/v1/namespaces/default/tables/gone'
    await must(ask(service, path, { method: 'POST', raw, headers }))
    await goOn()
    await untilMade(service, 'queued')
    expect(await statusOf(service, 'queued')).toMatchObject({
      ...{ state: 'failed', problem: { type: '/problems/snapshot-not-found' } },
    })
    expect(await filesOf(service, 'queued')).toEqual([])
  })
})

describe('when its rows are made', () => {
  const disk = { isFull: false }
  const answers: { lost?: 'before' | 'after'; deleted?: true } = {}
  let service: TestService
  beforeAll(async () => {
    service = await startTestService({
      wrapCatalog: (catalog) =>
        withStore(catalog, 'datasets', {
          finish: async (finish, options) => {
            const { lost, deleted } = answers
            delete answers.lost
            delete answers.deleted
            if (deleted) await deletePlaced(catalog, service.deps.objects, finish.tableUuid)
            const unknown = new CatalogError('commit-state-unknown', 'the answer was lost')
            if (lost === 'before') throw unknown
            const outcome = await catalog.datasets.finish(finish, options)
            if (lost === 'after') throw unknown
            return outcome
          },
        }),
      wrapObjects: (objects) =>
        changed(objects, {
          putFileIfAbsent: (location, path) =>
            disk.isFull && location.includes('full-')
              ? Promise.reject(new CatalogError('storage-full', 'the disk is full'))
              : objects.putFileIfAbsent(location, path),
        }),
    })
    await makeTable(service, 'a', [rows(5)])
  })
  afterAll(() => service.close())

  const query = { source: { table: 'a' }, filter: 'id > 1' }

  test('the disk is full: it has failed, says why, and may be asked for again', async () => {
    disk.isFull = true
    const wish = { name: 'full', query }
    const asked = await ask(service, '/v1/datasets', { method: 'POST', json: wish })
    expect([asked.status, asked.body.type]).toEqual([507, '/problems/storage-full'])
    expect(await statusOf(service, 'full')).toMatchObject({
      ...{ state: 'failed', problem: { type: '/problems/storage-full' } },
    })
    const download = await ask(service, '/v1/datasets/full/download?format=csv')
    expect([download.status, download.body.type]).toEqual([409, '/problems/dataset-not-ready'])
    disk.isFull = false
    const again = await must(ask(service, '/v1/datasets', { method: 'POST', json: wish }), 201)
    expect(again).toMatchObject({ state: 'ready', version: 2, rows: 3 })
  })

  test.each(['before', 'after'] as const)(
    'the answer to their commit is lost (%s it was done): it becomes ready all the same',
    async (lost) => {
      answers.lost = lost
      const wish = { name: `lost-${lost}`, query }
      await make(service, wish)
      const isOver = async () =>
        ['ready', 'failed'].includes((await statusOf(service, wish.name)).state)
      await until(isOver, 60_000)
      expect(await statusOf(service, wish.name)).toMatchObject({ state: 'ready' })
    },
  )

  test('a file of an attempt is deleted before the next: it is written again', async () => {
    answers.lost = 'before'
    answers.deleted = true
    await make(service, { name: 'deleted', query })
    const isOver = async () =>
      ['ready', 'failed'].includes((await statusOf(service, 'deleted')).state)
    await until(isOver, 60_000)
    expect(await statusOf(service, 'deleted')).toMatchObject({ state: 'ready', rows: 3 })
    const { text } = await ask(service, '/v1/datasets/deleted/download?format=csv')
    expect(text.split('\n')).toHaveLength(5)
  })

  test('they are placed, and the job is taken over before its end: all stays', async () => {
    const wish = { name: 'placed', query }
    const made = await must(ask(service, '/v1/datasets', { method: 'POST', json: wish }), 201)
    const csv = () => ask(service, '/v1/datasets/placed/download?format=csv')
    const before = await csv()
    const { jobs } = service.deps
    const input = { tableUuid: made.table_id, asker: '', costBytes: 0 }
    const { job } = await jobs.submit({ kind: 'dataset', key: made.table_id, input })
    const signal = new AbortController().signal
    const ended = await jobs.waitForEnd(job.jobId, { waitMs: 30_000, signal })
    expect(ended).toMatchObject({ state: 'succeeded', result: { state: 'ready' } })
    const after = await csv()
    expect([after.status, after.text, after.headers.get('etag')]).toEqual([
      ...[200, before.text, before.headers.get('etag')],
    ])
    const files = await filesOf(service, 'placed')
    expect(files.filter((path) => path.endsWith('.parquet'))).toHaveLength(1)
  })
})

/** Ids of the engines that are children of this process, with the time that each has computed. */
function engines(): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      if (Number(fields[1]) !== process.pid) continue
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('worker')) {
        found.set(Number(name), Number(fields[11]))
      }
    } catch {
      // It has ended.
    }
  }
  return found
}

/** The one that computes something now. */
async function busyEngine(): Promise<number | undefined> {
  const before = engines()
  await sleep(50)
  const [busy] = [...engines()].find(([pid, ticks]) => ticks - (before.get(pid) ?? ticks) > 1) ?? []
  return busy
}

const describeOnLinux = process.platform === 'linux' ? describe : describe.skip

describeOnLinux('when its engine is killed', () => {
  let service: TestService
  beforeAll(async () => {
    service = await startTestService()
    await makeTable(service, 'a', [rows(100)])
  })
  afterAll(() => service.close())

  test('once: a new one makes the rows, in the same attempt', async () => {
    // Half a second of work.
    const sql =
      'SELECT sum(hash(a.id, b.id, c.id, d.id) % 7) AS n FROM a, a b, a c, a d WHERE a.id < 5'
    await make(service, { name: 'killed-once', sql })
    let killed: number | undefined
    await until(async () => {
      killed = await busyEngine()
      return killed !== undefined
    }, 60_000)
    process.kill(killed ?? 0, 'SIGKILL')
    await until(async () => (await statusOf(service, 'killed-once')).state === 'ready', 60_000)
    const { text } = await ask(service, '/v1/datasets/killed-once/download?format=csv')
    expect(text).toMatch(/^n\n\d+\n$/)
    const [job] = await service.deps.jobs.list({ kind: 'dataset', limit: 1 })
    expect(job).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(engines().has(killed ?? 0)).toBe(false)
  })

  test('again and again: it has failed, says so, and may be asked for again', async () => {
    await make(service, { name: 'killed-twice', sql: BURNING })
    const killed = new Set<number>()
    await until(async () => {
      const pid = await busyEngine()
      if (pid !== undefined && !killed.has(pid)) process.kill(pid, 'SIGKILL')
      if (pid !== undefined) killed.add(pid)
      return (await statusOf(service, 'killed-twice')).state === 'failed'
    }, 60_000)
    expect(killed.size).toBe(2)
    expect(await statusOf(service, 'killed-twice')).toMatchObject({
      problem: { type: '/problems/engine-failed' },
    })
    const download = await ask(service, '/v1/datasets/killed-twice/download?format=csv')
    expect([download.status, download.body.type]).toEqual([409, '/problems/dataset-not-ready'])
    expect(await filesOf(service, 'killed-twice')).toEqual([])
    const again = await make(service, { name: 'killed-twice', sql: 'SELECT 1 AS one FROM a' })
    expect([again.status, again.body.version]).toEqual([202, 2])
  })
})
