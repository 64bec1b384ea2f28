import { mkdir, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildService, endServices, KillableService } from '../../crash/killable-service.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { writeParquet } from '../../parquet-files.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

const WISH = { method: 'POST', headers: { Prefer: 'respond-async' } }

async function statusOf(service: { url: string }): Promise<Json> {
  return must(ask(service, '/v1/datasets/counted/status'))
}

async function openJobs({ deps }: TestService) {
  const jobs = await deps.jobs.list({ kind: 'dataset', limit: 9 })
  return jobs.filter(({ endedAtMs }) => endedAtMs === undefined)
}

beforeAll(buildService, 120_000)
afterAll(endServices)

test('a dataset whose process is killed is made by another one, from the beginning', async () => {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-killed-')))
  const files = join(home, 'data')
  await mkdir(files)
  const environment = { MORAINE_HOME: home, MORAINE_ALLOWED_LOCATIONS: files }
  const killed = await KillableService.start(environment)
  let other: TestService | undefined
  try {
    await makeTable({ url: killed.url, dataFolder: files }, 'a', [rows(100)])
    // Long enough to be killed in it, and no longer than another process needs patience.
    const sql = 'SELECT count(*) AS n FROM a, a b, a c, a d WHERE a.id + b.id + c.id + d.id > 9'
    const wish = { ...WISH, json: { name: 'counted', sql } }
    expect((await ask(killed, '/v1/datasets', wish)).status).toBe(202)
    await until(async () => (await statusOf(killed)).state === 'building')
    await killed.kill()
    other = await startTestService({ home })
    const service = other
    const [job] = await openJobs(service)
    expect(job).toMatchObject({ state: 'running', attempts: 1 })
    expect((await ask(service, '/v1/datasets/counted/download')).status).toBe(409)
    await until(async () => (await statusOf(service)).state === 'ready', 90_000)
    const { text } = await ask(service, '/v1/datasets/counted/download?format=csv')
    expect(text).toBe('n\n99999285\n')
    await until(async () => (await openJobs(service)).length === 0)
    expect(await service.deps.jobs.get(job?.jobId ?? '')).toMatchObject({ attempts: 2 })
    const found = await readdir(join(home, 'warehouse'), { recursive: true })
    const made = found.filter((path) => path.includes('counted-') && path.endsWith('.parquet'))
    expect(made).toHaveLength(1)
  } finally {
    await killed.kill()
    await other?.stop()
    await rm(home, { recursive: true, force: true })
  }
}, 180_000)

/** Data files of the hidden table of a dataset, and when and as what file they were made. */
async function filesOf(home: string, name: string): Promise<ReadonlyMap<string, string>> {
  const warehouse = join(home, 'warehouse')
  const names = await readdir(warehouse, { recursive: true }).catch(() => [])
  const made = new Map<string, string>()
  for (const path of names) {
    if (!path.includes(`${name}-`) || !path.endsWith('.parquet')) continue
    const { ino, mtimeMs } = await stat(join(warehouse, path))
    made.set(path, `${ino} ${mtimeMs}`)
  }
  return made
}

const FILES = 8
const FILE_ROWS = 1_000_000

test('what a killed process has finished of a large dataset is kept by the next', async () => {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-kept-shards-')))
  const files = join(home, 'data')
  await mkdir(files)
  const environment = { MORAINE_HOME: home, MORAINE_ALLOWED_LOCATIONS: files }
  const killed = await KillableService.start(environment)
  let other: TestService | undefined
  try {
    const columns = [{ name: 'id', type: 'long' }]
    await must(post(killed, '/v1/tables', { name: 'a', schema: { columns } }), 201)
    for (let i = 0; i < FILES; i++) {
      const select = `SELECT range AS id FROM range(${i * FILE_ROWS}, ${(i + 1) * FILE_ROWS})`
      const path = await writeParquet(join(files, `${i}.parquet`), select)
      await must(post(killed, '/v1/tables/a/files', { files: [{ path }] }))
    }
    const query = { source: { table: 'a' }, filter: 'id != 7' }
    const wish = { ...WISH, json: { name: 'sharded', query } }
    expect((await ask(killed, '/v1/datasets', wish)).status).toBe(202)
    await until(async () => (await filesOf(home, 'sharded')).size > 1, 60_000)
    await killed.kill()
    const before = await filesOf(home, 'sharded')
    expect(before.size).toBeLessThan(FILES)
    other = await startTestService({ home })
    const service = other
    const status = () => must(ask(service, '/v1/datasets/sharded/status'))
    await until(async () => (await status()).state === 'ready', 90_000)
    const after = await filesOf(home, 'sharded')
    expect(after.size).toBe(FILES)
    for (const [path, made] of before) expect([path, after.get(path)]).toEqual([path, made])
    const dataset = await must(ask(service, '/v1/datasets/sharded'))
    expect(dataset).toMatchObject({ files: FILES, rows: FILES * FILE_ROWS - 1 })
    const verified = await must(post(service, '/v1/datasets/sharded/verify', {}))
    expect(verified.reproduced).toBe(true)
  } finally {
    await killed.kill()
    await other?.stop()
    await rm(home, { recursive: true, force: true })
  }
}, 240_000)
