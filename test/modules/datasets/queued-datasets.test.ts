import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { withStore } from '../../lake/failing-disk.ts'
import { until } from '../../lake/jobs/background.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

/** Burns for a minute, and takes the one place of its caller for so long. */
const BURNING = 'SELECT count(*) AS n FROM a, a b, a c, a d, a e, a f'
const TABLE = '/iceberg/v1/namespaces/default/tables/moons'
const MAPPING = 'schema.name-mapping.default'

let service: TestService
/** How often each job was claimed. */
const claims = new Map<string, number>()

beforeEach(async () => {
  claims.clear()
  service = await startTestService({
    environment: { MORAINE_QUERIES_RUNNING: '1' },
    wrapCatalog: (catalog) =>
      withStore(catalog, 'jobs', {
        claim: async (wanted) => {
          const job = await catalog.jobs.claim(wanted)
          if (job !== undefined) claims.set(job.jobId, (claims.get(job.jobId) ?? 0) + 1)
          return job
        },
      }),
  })
  await makeTable(service, 'a', [rows(100)])
  await makeTable(service, 'moons', [rows(5)])
  expect((await make({ name: 'burning', sql: BURNING })).status).toBe(202)
  await until(async () => (await openJobs()).some(({ state }) => state === 'running'))
})
afterEach(() => service.close())

function make(wish: object): Promise<Answer> {
  const headers = { Prefer: 'respond-async' }
  return ask(service, '/v1/datasets', { method: 'POST', json: wish, headers })
}

async function openJobs() {
  const jobs = await service.deps.jobs.list({ kind: 'dataset', limit: 9 })
  return jobs.filter(({ endedAtMs }) => endedAtMs === undefined)
}

async function queue(name: string, wish: object): Promise<void> {
  expect((await make({ name, ...wish })).status).toBe(202)
}

/** Ends what burns, and waits for how the others end. */
async function endsOf(...names: string[]): Promise<Json[]> {
  const first = (await openJobs()).at(-1)
  if (first !== undefined) await service.deps.jobs.cancel(first.jobId)
  await until(async () => (await openJobs()).length === 0, 60_000)
  return Promise.all(names.map((name) => must(ask(service, `/v1/datasets/${name}/status`))))
}

async function update(...updates: object[]): Promise<void> {
  const json = { requirements: [], updates }
  await must(ask(service, TABLE, { method: 'POST', json }))
}

async function mapNames(change: (mapping: Json[]) => Json[]): Promise<void> {
  const { metadata } = await must(ask(service, TABLE))
  const mapping = change(JSON.parse(metadata.properties[MAPPING]))
  await update({ action: 'set-properties', updates: { [MAPPING]: JSON.stringify(mapping) } })
}

/** The table gets another column, and that schema is its current one. */
async function addColumn(): Promise<number> {
  const { metadata } = await must(ask(service, TABLE))
  const [{ fields }] = metadata.schemas
  const added = { id: 9, name: 'added', required: false, type: 'int' }
  const schema = { type: 'struct', 'schema-id': 1, fields: [...fields, added] }
  await update(
    { action: 'add-schema', schema, 'last-column-id': 9 },
    { action: 'set-current-schema', 'schema-id': -1 },
  )
  return metadata['current-schema-id']
}

const CHANGED = { state: 'failed', problem: { type: '/problems/dataset-source-changed' } }
const source = { table: 'moons' }

test('to wait for its turn is no attempt', async () => {
  await queue('queued', { query: { source, filter: 'id > 1' } })
  const [job] = await openJobs()
  const jobId = job?.jobId ?? ''
  await until(() => (claims.get(jobId) ?? 0) >= 3, 60_000)
  await until(async () => (await service.deps.jobs.find(jobId))?.state === 'waiting', 60_000)
  expect(await service.deps.jobs.find(jobId)).toMatchObject({ attempts: 0, problem: undefined })
  expect(await endsOf('queued')).toMatchObject([{ state: 'ready', rows: 3 }])
  expect(await service.deps.jobs.find(jobId)).toMatchObject({ attempts: 1 })
}, 120_000)

test('names of columns that it does not read change: its rows are made', async () => {
  await queue('query', { query: { source, columns: ['name'], filter: 'id > 1' } })
  await queue('text', { sql: 'SELECT id, name FROM moons WHERE id > 1' })
  await addColumn()
  await mapNames((mapping) => [{ 'field-id': 9, names: ['added'] }, ...mapping])
  for (const end of await endsOf('query', 'text')) {
    expect(end).toMatchObject({ state: 'ready', rows: 3 })
  }
  const { text } = await ask(service, '/v1/datasets/query/download?format=csv')
  expect(text).toBe('name\nname 2\nname 3\nname 4\n')
}, 120_000)

test.each([
  ['read', 2, [CHANGED, CHANGED]],
  ['of others', 3, [{ state: 'ready', rows: 5 }, CHANGED]],
])(
  'names change, those of a column that is %s',
  async (_, fieldId, ends) => {
    await queue('query', { query: { source, columns: ['name'] } })
    // A text reads all columns of its tables.
    await queue('text', { sql: 'SELECT name FROM moons' })
    await mapNames((mapping) =>
      mapping.map((each) => (each['field-id'] === fieldId ? { ...each, names: ['other'] } : each)),
    )
    expect(await endsOf('query', 'text')).toMatchObject(ends)
  },
  120_000,
)

test('the columns that it reads are removed: it has failed at once, and says why', async () => {
  const before = await addColumn()
  await queue('query', { query: { source, columns: ['added'] } })
  await queue('text', { sql: 'SELECT added FROM moons' })
  const jobs = await openJobs()
  await update({ action: 'set-current-schema', 'schema-id': before })
  await update({ action: 'remove-schemas', 'schema-ids': [1] })
  expect(await endsOf('query', 'text')).toMatchObject([CHANGED, CHANGED])
  for (const { jobId, input } of jobs.slice(0, 2)) {
    expect([input, (await service.deps.jobs.find(jobId))?.attempts]).toEqual([input, 1])
  }
}, 120_000)

test('the columns of one that is ready are removed: nothing can be run again', async () => {
  const before = await addColumn()
  await queue('query', { query: { source, columns: ['id', 'added'] } })
  expect(await endsOf('query')).toMatchObject([{ state: 'ready' }])
  await update({ action: 'set-current-schema', 'schema-id': before })
  await update({ action: 'remove-schemas', 'schema-ids': [1] })
  const verified = ask(service, '/v1/datasets/query/verify', { method: 'POST' })
  expect(await must(verified)).toMatchObject({ reproduced: null, differing: [] })
}, 120_000)
