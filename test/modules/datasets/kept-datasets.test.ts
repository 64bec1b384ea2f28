import { join } from 'node:path'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { rebuildCatalog } from '../../../src/modules/operations/rebuild.ts'
import { composeLake } from '../../../src/service.ts'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeEach(async () => {
  service = await startTestService()
  await makeTable(service, 'sky', [rows(5)])
})
afterEach(() => service.close())

async function csvOf(of: { readonly url: string }, url: string): Promise<string> {
  return (await ask(of, `${url}/download?format=csv`)).text
}

test('two replicas make one dataset of one wish, of all rows and of a query', async () => {
  const other = await startTestService({ home: service.home })
  try {
    for (const wish of [
      { source: { table: 'sky' } },
      { query: { source: { table: 'sky' }, filter: 'id > 2' } },
    ]) {
      const asked = await Promise.all(
        [service, other, service, other].map((each) => post(each, '/v1/datasets', wish)),
      )
      expect(asked.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201])
      const [url, ...others] = new Set(asked.map(({ body }) => body.url))
      expect(others).toEqual([])
      expect(await csvOf(service, url)).toBe(await csvOf(other, url))
    }
  } finally {
    await other.stop()
  }
})

test('a dataset whose process ended before it asked for its rows is made later', async () => {
  const wish = { name: 'few', query: { source: { table: 'sky' }, filter: 'id = 1' } }
  const accepted = await ask(service, '/v1/datasets', {
    ...{ method: 'POST', json: wish, headers: { Prefer: 'respond-async' } },
  })
  expect(accepted.status).toBe(202)
  await service.stop()
  const next = await startTestService({ home: service.home })
  try {
    const made = await must(post(next, '/v1/datasets', wish))
    expect(made).toMatchObject({ state: 'ready', rows: 1, version: 1 })
    expect(await csvOf(next, made.url)).toBe('id,name,x\n1,name 1,1.5\n')
  } finally {
    await next.stop()
  }
})

test('a rebuild tells of datasets, and leaves those that are there alone', async () => {
  const { url } = await must(
    post(service, '/v1/datasets', { name: 'told', source: { table: 'sky' } }),
    201,
  )
  await service.deps.publisher.publish((await must(ask(service, url))).table_id)
  await service.deps.publisher.publish((await must(ask(service, '/v1/tables/sky'))).table_id)
  const hidden = 'moraine$datasets.told_v1'
  const outcomes = async (deps: Parameters<typeof rebuildCatalog>[0]) => {
    const found: Json[] = []
    for await (const { table, outcome } of rebuildCatalog(deps)) found.push([table, outcome])
    return Object.fromEntries(found)
  }
  const there = 'already-there'
  expect(await outcomes(service.deps)).toEqual({ 'default.sky': there, [hidden]: there })
  const catalog = await openSqliteCatalog({ path: join(service.home, 'new.db') })
  await catalog.migrate()
  const deps = composeLake({ ...service.deps, catalog })
  expect(await outcomes(deps)).toEqual({ 'default.sky': 'registered', [hidden]: 'unreadable' })
  await deps.publisher.close()
  await catalog.close()
})
