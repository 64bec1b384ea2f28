import { randomUUID } from 'node:crypto'
import { type Answer, ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { must as mustRest, rest } from '../iceberg-rest/http/rest-client.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const duckdb = (sql: string) => ({ dialect: 'duckdb', sql })
const spark = (sql: string) => ({ dialect: 'spark', sql })
const columns = [
  { name: 'id', type: 'long', nullable: false },
  { name: 'at', type: 'timestamp' },
]
const create = (name: string, more: object = {}) =>
  post(service, '/v1/views', { name, queries: [duckdb('SELECT 1')], ...more })
const read = (name: string) => ask(service, `/v1/views/${name}`)
const replace = (name: string, json: object) =>
  ask(service, `/v1/views/${name}`, { method: 'PUT', json })
const drop = (name: string) => ask(service, `/v1/views/${name}`, { method: 'DELETE' })

async function refused(asked: Promise<Answer>): Promise<[number, string, Json]> {
  const { status, body } = await asked
  return [status, body.type.replace('/problems/', ''), body]
}

test('a view is created, read, replaced and dropped', async () => {
  const asked = create('late', { namespace: 'sky.air', schema: { columns }, description: 'Late.' })
  const made = await must(asked, 201)
  expect((await asked).headers.get('location')).toBe('/v1/views/sky.air.late')
  expect(made).toMatchObject({
    identifier: 'sky.air.late',
    description: 'Late.',
    version_id: 1,
    default_namespace: 'sky.air',
    queries: [duckdb('SELECT 1')],
  })
  expect(made.columns.map(({ id, name, nullable }: Json) => [id, name, nullable])).toEqual([
    [1, 'id', false],
    [2, 'at', true],
  ])
  expect(await must(read('sky.air.late'))).toEqual(made)
  expect(await must(read('SKY.air.Late'))).toEqual(made)
  expect(await must(read(made.view_id))).toEqual(made)

  const queries = [duckdb('SELECT 2'), spark('select 2')]
  const replaced = await must(replace('sky.air.late', { queries }))
  expect(replaced).toMatchObject({ version_id: 2, queries, description: 'Late.' })
  expect(replaced.columns).toEqual(made.columns)
  expect(replaced.versions.map((version: Json) => version.version_id)).toEqual([2, 1])
  expect(replaced.history.map((entry: Json) => entry.version_id)).toEqual([2, 1])
  expect(replaced.metadata_location).not.toBe(made.metadata_location)
  expect(await must(replace('sky.air.late', { queries }))).toEqual(replaced)

  expect(await must(drop('sky.air.late'))).toEqual({
    view_id: made.view_id,
    identifier: 'sky.air.late',
  })
  for (const gone of [read('sky.air.late'), drop('sky.air.late'), read(made.view_id)]) {
    expect((await refused(gone)).slice(0, 2)).toEqual([404, 'view-not-found'])
  }
})

test('a dialect that is left out is gone, and a description goes by null', async () => {
  await must(create('both', { queries: [duckdb('a'), spark('b')], description: 'x' }), 201)
  const replaced = await must(replace('both', { queries: [spark('c')], description: null }))
  expect(replaced).toMatchObject({ queries: [spark('c')], description: null, version_id: 2 })
  const again = await must(replace('both', { queries: [spark('c')], description: 'y' }))
  expect(again).toMatchObject({ description: 'y', version_id: 2 })
  const loaded = await mustRest(rest(service, '/namespaces/default/views/both'))
  expect(loaded.metadata.properties).toEqual({ comment: 'y' })
})

test('a schema given again belongs to the new version only', async () => {
  await must(create('typed', { schema: { columns } }), 201)
  const queries = [duckdb('SELECT 2')]
  const schema = { columns: [{ name: 'n', type: 'decimal(9,2)' }] }
  const replaced = await must(replace('typed', { queries, schema }))
  expect(replaced.columns.map((column: Json) => column.name)).toEqual(['n'])
  expect(replaced.versions[1].columns.map((column: Json) => column.name)).toEqual(['id', 'at'])
  expect((await must(create('untyped'), 201)).columns).toEqual([])
})

test('it is the view that the Iceberg REST catalog has', async () => {
  const made = await must(create('shared', { schema: { columns } }), 201)
  const loaded = await mustRest(rest(service, '/namespaces/default/views/shared'))
  expect(loaded['metadata-location']).toBe(made.metadata_location)
  expect(loaded.metadata).toMatchObject({ 'view-uuid': made.view_id, location: made.location })
  expect(loaded.metadata.versions[0]).toMatchObject({
    representations: [{ type: 'sql', ...duckdb('SELECT 1') }],
    'default-namespace': ['default'],
  })
  const updates = [
    {
      action: 'add-view-version',
      'view-version': {
        ...loaded.metadata.versions[0],
        representations: [{ type: 'sql', ...duckdb('SELECT 7') }],
      },
    },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
  await mustRest(rest(service, '/namespaces/default/views/shared', { json: { updates } }))
  expect(await must(read('shared'))).toMatchObject({ version_id: 2, queries: [duckdb('SELECT 7')] })
})

test('views are listed by namespace, in pages', async () => {
  for (const name of ['c', 'A', 'b']) await must(create(name, { namespace: 'listed' }), 201)
  const names: string[] = []
  let token: string | null = ''
  while (token !== null) {
    const more: string = token === '' ? '' : `&page_token=${token}`
    const page: Json = await must(ask(service, `/v1/views?namespace=listed&page_size=2${more}`))
    names.push(...page.views.map((view: Json) => view.name))
    token = page.next_page_token
  }
  expect(names).toEqual(['A', 'b', 'c'])
  const missing = await ask(service, '/v1/views?namespace=nowhere')
  const told = { type: '/problems/namespace-not-found', status: 404, namespace: 'nowhere' }
  expect(missing.body).toMatchObject(told)
})

test('names are shared with tables, and follow the rule of /v1', async () => {
  await must(post(service, '/v1/tables', { name: 'ground', schema: { columns } }), 201)
  await must(create('taken'), 201)
  const [status, code, table] = await refused(create('Ground'))
  expect([status, code, table.existing]).toEqual([409, 'view-already-exists', 'table'])
  expect((await refused(create('taken')))[2]).toMatchObject({ status: 409, existing: 'view' })
  const clash = post(service, '/v1/tables', { name: 'taken', schema: { columns } })
  expect((await refused(clash))[2]).toMatchObject({ type: '/problems/table-already-exists' })
  for (const name of ['1st', 'a b', '', 'a..b', 'ä', randomUUID(), 'x'.repeat(200)]) {
    expect((await refused(create(name))).slice(0, 2)).toEqual([400, 'name-invalid'])
  }
})

test('the schemas of a table are still found at the older address', async () => {
  await must(post(service, '/v1/tables', { name: 'old', schema: { columns } }), 201)
  expect(await must(ask(service, '/v1/views/old/schemas'))).toEqual(
    await must(ask(service, '/v1/tables/old/schemas')),
  )
})

test.each<[string, object, number, string]>([
  ['no query', { queries: [] }, 400, 'request-invalid'],
  ['queries that are no list', { queries: { duckdb: 'x' } }, 400, 'request-invalid'],
  ['an empty text', { queries: [duckdb('')] }, 400, 'request-invalid'],
  [
    'a dialect twice',
    { queries: [spark('a'), { dialect: 'SPARK', sql: 'b' }] },
    400,
    'update-invalid',
  ],
  ['an unknown member', { sql: 'x' }, 400, 'request-invalid'],
  [
    'an unknown type',
    { schema: { columns: [{ name: 'a', type: 'nix' }] } },
    422,
    'column-type-unknown',
  ],
  ['a column twice', { schema: { columns: [...columns, ...columns] } }, 422, 'schema-invalid'],
  ['a bad namespace', { default_namespace: 'a..b' }, 400, 'name-invalid'],
])('a view with %s is refused', async (_, more, status, code) => {
  expect((await refused(create('odd', more))).slice(0, 2)).toEqual([status, code])
  expect((await read('odd')).status).toBe(404)
})

test('of two replacements at once, both are kept as versions', async () => {
  await must(create('busy'), 201)
  await Promise.all(
    [1, 2, 3, 4].map((i) => must(replace('busy', { queries: [duckdb(`SELECT 1${i}`)] }))),
  )
  expect((await must(read('busy'))).versions).toHaveLength(5)
})
