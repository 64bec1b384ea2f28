import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const COLUMNS = [
  { name: 'id', type: 'long', nullable: false },
  { name: 'name', type: 'VARCHAR', description: 'what it is called', aliases: ['title'] },
  { name: 'price', type: 'decimal(9,2)' },
]

function create(name: string, more: Record<string, unknown> = {}) {
  return post(service, '/v1/tables', { name, schema: { columns: COLUMNS }, ...more })
}

test('a table is born with a schema and no snapshot', async () => {
  const answer = await create('flights', {
    namespace: 'aviation.europe',
    description: 'Flights.',
    steward: 'ops',
    disposition: 'continuous',
    metadata: { sla: 'daily', depth: { a: [1] } },
    partitioning: [{ column: 'id', transform: 'bucket[16]' }],
  })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('location')).toBe('/v1/tables/aviation.europe.flights')
  expect(answer.body).toMatchObject({
    name: 'flights',
    namespace: 'aviation.europe',
    identifier: 'aviation.europe.flights',
    description: 'Flights.',
    steward: 'ops',
    disposition: 'continuous',
    metadata: { sla: 'daily', depth: { a: [1] } },
    format_version: 2,
    partitioning: [{ name: 'id_bucket', column: 'id', transform: 'bucket[16]' }],
    snapshot: null,
  })
  expect(answer.body.schema).toEqual({
    schema_id: 0,
    columns: [
      {
        id: 1,
        name: 'id',
        type: 'long',
        nullable: false,
        default: null,
        description: null,
        aliases: [],
      },
      {
        id: 2,
        name: 'name',
        type: 'string',
        nullable: true,
        default: null,
        description: 'what it is called',
        aliases: ['title'],
      },
      {
        id: 3,
        name: 'price',
        type: 'decimal(9,2)',
        nullable: true,
        default: null,
        description: null,
        aliases: [],
      },
    ],
  })
  const read = await must(ask(service, answer.headers.get('location') ?? ''))
  const { namespace_created, ...created } = answer.body
  expect(namespace_created).toBe(true)
  expect(read).toMatchObject({ ...created, data_files: [], totals: { data_files: 0 } })
  const byId = await must(ask(service, `/v1/tables/${read.table_id}`))
  expect(byId.identifier).toBe('aviation.europe.flights')
})

test('names keep their case and compare without it', async () => {
  await must(create('Mixed'), 201)
  expect((await must(ask(service, '/v1/tables/mIXED'))).name).toBe('Mixed')
  const again = await create('mixed')
  expect(again.status).toBe(409)
  expect(again.body).toMatchObject({ type: '/problems/table-already-exists' })
})

test('lists come in pages that hold every table once', async () => {
  for (const name of ['page_a', 'page_b', 'PAGE_c', 'other']) {
    await must(create(name, { namespace: 'paged' }), 201)
  }
  const names: string[] = []
  let token: string | null = ''
  while (token !== null) {
    const query = new URLSearchParams({ namespace: 'paged', prefix: 'page_', page_size: '2' })
    if (token !== '') query.set('page_token', token)
    const page = await must(ask(service, `/v1/tables?${query}`))
    expect(page.tables.length).toBeLessThanOrEqual(2)
    names.push(...page.tables.map((table: { identifier: string }) => table.identifier))
    token = page.next_page_token
  }
  expect(names).toEqual(['paged.page_a', 'paged.page_b', 'paged.PAGE_c'])
})

test('a page token of our own making is refused', async () => {
  for (const token of ['x', 'WzFd', '%%%', Buffer.from('[[1],2]').toString('base64url')]) {
    const answer = await ask(service, `/v1/tables?page_token=${encodeURIComponent(token)}`)
    expect(answer.body).toMatchObject({ status: 400, type: '/problems/page-token-invalid' })
  }
})

test('a description is merged, and null removes', async () => {
  await must(create('described', { metadata: { a: 1, b: 2 }, steward: 'x' }), 201)
  const path = '/v1/tables/described/metadata'
  const body = { metadata: { b: null, c: [3] }, steward: null, description: 'y' }
  const changed = await must(post(service, path, body))
  expect(changed).toMatchObject({ metadata: { a: 1, c: [3] }, steward: null, description: 'y' })
  expect((await must(ask(service, '/v1/tables/described'))).metadata).toEqual({ a: 1, c: [3] })
})

test('schemas evolve by changes and as a whole, under both addresses', async () => {
  await must(create('evolving'), 201)
  const changes = [
    { op: 'add', column: { name: 'gate', type: 'int' }, after: 'id' },
    { op: 'rename', name: 'name', to: 'label' },
  ]
  const evolved = await must(post(service, '/v1/tables/evolving/schemas', { changes }))
  expect(evolved.current_schema_id).toBe(1)
  const columns = evolved.schemas[1].columns
  expect(columns.map((column: { name: string }) => column.name)).toEqual([
    'id',
    'gate',
    'label',
    'price',
  ])
  expect(columns[2].aliases).toEqual(['title', 'name'])
  const widened = columns.map((column: { name: string }) =>
    column.name === 'gate' ? { ...column, type: 'long' } : column,
  )
  const again = await must(post(service, '/v1/views/evolving/schemas', { columns: widened }))
  expect(again.schemas.at(-1).columns[1]).toMatchObject({ id: 4, name: 'gate', type: 'long' })
  expect(await must(ask(service, '/v1/views/evolving/schemas'))).toEqual(again)
  expect(await must(ask(service, '/v1/tables/evolving/schemas'))).toEqual(again)
})

test('a change of schema that is not possible names the column and the rule', async () => {
  await must(create('rigid'), 201)
  const narrow = { changes: [{ op: 'widen', name: 'id', type: 'string' }] }
  const refused = await post(service, '/v1/tables/rigid/schemas', narrow)
  expect(refused.body).toMatchObject({
    status: 422,
    type: '/problems/schema-change-invalid',
    column: 'id',
  })
  expect((await must(ask(service, '/v1/tables/rigid/schemas'))).schemas).toHaveLength(1)
})

test('a dropped table is gone, and its name free', async () => {
  const { table_id } = await must(create('doomed'), 201)
  const dropped = await must(ask(service, '/v1/tables/doomed?purge=true', { method: 'DELETE' }))
  expect(dropped).toMatchObject({ identifier: 'default.doomed', table_id, purged: false })
  expect(dropped.scheduled_files).toBeGreaterThan(0)
  expect((await ask(service, `/v1/tables/${table_id}`)).body.type).toBe('/problems/table-not-found')
  await must(create('doomed'), 201)
})

test('metadata with integers beyond 2^53 is refused rather than rounded', async () => {
  await must(create('exact'), 201)
  const answer = await ask(service, '/v1/tables/exact/metadata', {
    method: 'POST',
    raw: '{"metadata":{"big":9007199254740993}}',
    headers: { 'Content-Type': 'application/json' },
  })
  expect(answer.body).toMatchObject({
    type: '/problems/request-invalid',
    errors: [{ path: 'body.metadata' }],
  })
})
