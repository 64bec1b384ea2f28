import { readdir } from 'node:fs/promises'
import { type Answer, ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { querySql } from '../../parquet-files.ts'
import { addFile, makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await makeTable(service, 'sky', [rows(100), rows(100, 100)])
})
afterAll(() => service.close())

const SOURCE = { table: 'sky' }

function make(query: object, more: object = {}, prefer = ''): Promise<Answer> {
  const headers = { ...(prefer !== '' && { Prefer: prefer }) }
  const json = { query: { source: SOURCE, ...query }, ...more }
  return ask(service, '/v1/datasets', { method: 'POST', json, headers })
}

async function csv(url: string): Promise<string> {
  const { status, text } = await ask(service, `${url}/download?format=csv`)
  expect([status, text]).toEqual([200, text])
  return text
}

test('a query of a snapshot is frozen with the rows that the query has', async () => {
  const query = { columns: ['name', 'id'], filter: 'id >= 97 AND id < 103', limit: 4 }
  const made = await must(make(query, { name: 'few' }), 201)
  expect(made).toMatchObject({
    ...{ state: 'ready', rows: 4, files: 1, query },
    columns: [{ name: 'name', type: 'string' }, { name: 'id' }],
  })
  const wanted = 'name,id\nname 97,97\nname 98,98\nname 99,99\nname 100,100\n'
  expect(await csv(made.url)).toBe(wanted)
  await addFile(service, 'sky', rows(3, 50))
  await must(ask(service, '/v1/tables/sky/files/truncate', { method: 'POST', json: {} }))
  expect(await csv(made.url)).toBe(wanted)
  const { versions } = await must(ask(service, '/v1/datasets/few/versions'))
  expect(versions).toHaveLength(1)
})

describe('of a table that stays', () => {
  beforeAll(async () => {
    await makeTable(service, 'firm', [rows(10), rows(10, 10)])
    SOURCE.table = 'firm'
  })

  test('groups, aggregates and orders are as a query answers them', async () => {
    const aggregates = [{ function: 'count' }, { function: 'max', column: 'id', as: 'most' }]
    const query = { aggregates, group_by: ['x'], order_by: [{ column: 'most' }], limit: 3 }
    const { url } = await must(make(query), 201)
    const body = { source: { table: 'firm' }, ...query }
    const answered = await ask(service, '/v1/query?format=csv', { method: 'POST', json: body })
    expect(await csv(url)).toBe(answered.text)
  })

  test('one that means the same is the same, whoever asks at the same time', async () => {
    const spellings = ['id > 3 AND id < 6', 'id  >  3, id<6', 'id > 3 AND id < 6']
    const asked = await Promise.all(spellings.map((filter) => make({ filter })))
    expect(new Set(asked.map(({ body }) => body.url)).size).toBe(1)
    expect(asked.map(({ status }) => status).sort()).toEqual([200, 200, 201])
    const other = await must(make({ filter: 'id > 3 AND id < 7' }), 201)
    expect(other.url).not.toBe(asked[0]?.body.url)
  })

  test('who waits not gets 202, a status, and the rows once they are there', async () => {
    const accepted = await make({ filter: 'id = 7' }, { name: 'late' }, 'respond-async')
    expect([accepted.status, accepted.headers.get('preference-applied')]).toEqual([
      ...[202, 'respond-async'],
    ])
    const at = accepted.headers.get('location') ?? ''
    expect(at).toBe('/v1/datasets/late/1/status')
    const early = await ask(service, '/v1/datasets/late/download?format=csv')
    expect([200, 409]).toContain(early.status)
    // Asked again, it is joined and waited for.
    expect((await must(make({ filter: 'id = 7' }, { name: 'late' }), 200)).state).toBe('ready')
    expect(await must(ask(service, at))).toMatchObject({
      ...{ state: 'ready', rows: 1, download_url: '/v1/datasets/late/1/download' },
    })
  })

  test('no row is a dataset, too', async () => {
    const { url, rows: found } = await must(make({ filter: 'id = 999' }), 201)
    expect([found, await csv(url)]).toEqual([0, 'id,name,x\n'])
  })

  test('what is no query is refused before anything is kept', async () => {
    const bad: [object, string][] = [
      [{ columns: ['none'] }, 'query-invalid'],
      [{ filter: 'id >' }, 'filter-invalid'],
    ]
    for (const [query, code] of bad) {
      const { body } = await make(query, { name: 'bad' })
      expect(body.type).toBe(`/problems/${code}`)
    }
    const both = { source: SOURCE, query: { source: SOURCE } }
    expect((await post(service, '/v1/datasets', both)).status).toBe(400)
    expect((await post(service, '/v1/datasets', { name: 'bad' })).status).toBe(400)
    expect((await ask(service, '/v1/datasets/bad')).status).toBe(404)
  })

  test('its documents have the rows, and it is verified by running the query again', async () => {
    const { url } = await must(make({ filter: 'id < 2' }, { name: 'told' }), 201)
    const text = await csv(url)
    const { resources } = await must(ask(service, `${url}/datapackage.json`))
    expect(resources[0].bytes).toBe(text.length)
    const verified: Json = await must(post(service, `${url}/verify`, undefined))
    expect(verified).toMatchObject({ reproduced: true, files: 1 })
  })
})

test('questions of hundreds of small files become datasets where nobody waits', async () => {
  const folder = `${service.dataFolder}/many`
  const parts = '(FORMAT parquet, PARTITION_BY (part), WRITE_PARTITION_COLUMNS true)'
  await querySql(
    'COPY (SELECT i AS id, CAST(i % 300 AS INTEGER) AS part FROM range(900) t(i)) ' +
      `TO '${folder}' ${parts}`,
  )
  const columns = [
    { name: 'id', type: 'long' },
    { name: 'part', type: 'int' },
  ]
  await must(post(service, '/v1/tables', { name: 'many', schema: { columns } }), 201)
  const names = await readdir(folder, { recursive: true })
  const files = names.filter((name) => name.endsWith('.parquet'))
  expect(files).toHaveLength(300)
  const paths = files.map((name) => ({ path: `${folder}/${name}` }))
  await must(post(service, '/v1/tables/many/files', { files: paths }))
  const sql = 'SELECT count(*) AS n, sum(id) AS ids, max(part) AS most FROM many'
  const aggregates = [
    { function: 'count', as: 'n' },
    { function: 'sum', column: 'id', as: 'ids' },
  ]
  const most = { function: 'max', column: 'part', as: 'most' }
  const query = { source: { table: 'many' }, aggregates: [...aggregates, most] }
  for (const json of [{ sql }, query]) {
    const headers = { Prefer: 'respond-async' }
    const later = await ask(service, '/v1/query', { method: 'POST', json, headers })
    expect([later.status, later.body.state]).toEqual([202, 'queued'])
    const url = later.headers.get('content-location') ?? ''
    await until(async () => (await must(ask(service, url))).state === 'ready', 120_000)
    expect(await csv(url)).toBe('n,ids,most\n900,404550,299\n')
  }
}, 300_000)

test('an older service’s addresses lead to datasets', async () => {
  await makeTable(service, 'old', [rows(6)])
  for (const [asked, count] of [
    ['materialise=true', 6],
    ['materialise=true&filter=id%20%3C%202', 2],
  ]) {
    const accepted = await ask(service, `/data/old/records?${asked}`, { method: 'POST' })
    const { dataset_url: dataset, status_url: status } = await must(Promise.resolve(accepted), 202)
    expect(accepted.headers.get('location')).toBe(status)
    for (let state = ''; state !== 'ready'; ) {
      state = (await must(ask(service, status))).state
      expect(['queued', 'building', 'ready']).toContain(state)
    }
    const found = await must(ask(service, dataset))
    expect([found.rows, (await csv(found.url)).split('\n').length]).toEqual([
      ...[count, Number(count) + 2],
    ])
  }
  const gzipped = await fetch(`${service.url}/data/old/records.csv.gz`)
  const { gunzipSync } = await import('node:zlib')
  const text = gunzipSync(Buffer.from(await gzipped.arrayBuffer())).toString()
  expect(text.split('\n')).toHaveLength(8)
  expect((await ask(service, '/data/old/records', { method: 'POST' })).status).toBe(400)
})

test('one whose source went before its rows were made has failed, and says why', async () => {
  await makeTable(service, 'gone', [rows(5)])
  SOURCE.table = 'gone'
  const file = (await must(ask(service, '/v1/tables/gone'))).data_files[0].path
  const { rm } = await import('node:fs/promises')
  const { fileURLToPath } = await import('node:url')
  await rm(file.startsWith('file:') ? fileURLToPath(file) : file)
  const failed = await make({ filter: 'id = 1' }, { name: 'lost' })
  expect([failed.status, failed.body.type]).toEqual([410, '/problems/data-file-missing'])
  expect(await must(ask(service, '/v1/datasets/lost/status'))).toMatchObject({
    ...{ state: 'failed', problem: { type: '/problems/data-file-missing' } },
  })
  expect((await ask(service, '/v1/datasets/lost/download')).status).toBe(409)
  // It may be asked for again, as another version.
  await make({ filter: 'id = 1' }, { name: 'lost' })
  const { versions } = await must(ask(service, '/v1/datasets/lost/versions'))
  expect(versions.map(({ state }: Json) => state)).toEqual(['failed', 'failed'])
})
