import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'city', type: 'string' },
  { name: 'price', type: 'decimal(9,2)' },
  { name: 'ratio', type: 'double' },
  { name: 'seen_at', type: 'timestamptz' },
  {
    name: 'place',
    type: {
      type: 'struct',
      fields: [
        { id: 20, name: 'lat', type: 'double', required: false },
        { id: 21, name: 'label', type: 'string', required: false },
      ],
    },
  },
  {
    name: 'tags',
    type: { type: 'list', 'element-id': 30, element: 'string', 'element-required': false },
  },
]
const SELECT =
  `SELECT i AS id, CASE WHEN i % 7 <> 0 THEN 'city ' || (i % 5) END AS city, ` +
  `CAST(i * 1.25 AS DECIMAL(9,2)) AS price, CASE WHEN i % 11 = 0 THEN 'NaN'::DOUBLE ` +
  `WHEN i % 13 = 0 THEN -0.0 ELSE i / 3 END AS ratio, ` +
  `TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) AS seen_at, ` +
  `{'lat': i::DOUBLE, 'label': 'l' || i} AS place, [CAST(i AS VARCHAR), NULL] AS tags `

/** A table of files with 10 rows each. */
async function tableOf(name: string, files: number): Promise<string[]> {
  await must(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
  const paths: string[] = []
  for (let i = 0; i < files; i++) paths.push(await addFile(name, i))
  return paths
}

async function addFile(table: string, index: number): Promise<string> {
  const path = join(service.dataFolder, `${table}-${index}.parquet`)
  await writeParquet(path, `${SELECT} FROM range(${index * 10}, ${index * 10 + 10}) t(i)`)
  await must(post(service, `/v1/tables/${table}/files`, { files: [{ path }] }), 200)
  return path
}

async function rowsOf(table: string, parameters: Record<string, string> = {}): Promise<Json> {
  return must(ask(service, `/v1/tables/${table}/rows?${new URLSearchParams(parameters)}`))
}

async function idsWhere(paths: readonly string[], where: string): Promise<number[]> {
  const list = paths.map((path) => `'${path}'`).join(', ')
  const rows = await querySql(`SELECT id FROM read_parquet([${list}]) WHERE ${where} ORDER BY id`)
  return rows.map(({ id }) => Number(id))
}

const ids = (answer: Json): number[] => answer.rows.map(({ id }: Json) => id)

test('a table without a snapshot has columns and no rows', async () => {
  await tableOf('empty', 0)
  expect(await rowsOf('empty')).toMatchObject({
    snapshot_id: null,
    rows: [],
    next_page_token: null,
  })
})

test('rows have every kind of value, as dumps write them', async () => {
  await tableOf('kinds', 1)
  const answer = await rowsOf('kinds', { limit: '2' })
  expect(answer.rows).toEqual([
    {
      id: 0,
      city: null,
      price: '0.00',
      ratio: null,
      seen_at: '2024-01-01T00:00:00.000000+00:00',
      place: { lat: 0, label: 'l0' },
      tags: ['0', null],
    },
    {
      id: 1,
      city: 'city 1',
      price: '1.25',
      ratio: 1 / 3,
      seen_at: '2024-01-01T00:00:01.000000+00:00',
      place: { lat: 1, label: 'l1' },
      tags: ['1', null],
    },
  ])
  expect(answer.columns[2]).toEqual({ name: 'price', type: 'decimal(9,2)' })
})

test('a filter keeps exactly the rows that SQL keeps', async () => {
  const paths = await tableOf('filtered', 4)
  const filters = [
    ['id >= 5 AND id < 17', 'id >= 5 AND id < 17'],
    ["city = 'city 1'", "city = 'city 1'"],
    ["NOT city = 'city 1'", "NOT city = 'city 1'"],
    ["city IN ('city 1', NULL)", "city IN ('city 1', NULL)"],
    ["city NOT IN ('city 1', 'city 2')", "city NOT IN ('city 1', 'city 2')"],
    ['city IS NULL', 'city IS NULL'],
    ["city LIKE '%1'", "city LIKE '%1'"],
    ["NOT city LIKE 'c_ty%'", "NOT city LIKE 'c_ty%'"],
    ['price > 3.333', 'price > 3.333'],
    ['price = 2.5', 'price = 2.5'],
    ['price < 99999999999', 'true'],
    ['id = 1.5', 'false'],
    ['NOT id = 1.5', 'true'],
    ['ratio = 0.0', 'ratio = 0.0'],
    ["ratio = 'NaN'", 'isnan(ratio)'],
    ['ratio > 5', 'ratio > 5'],
    ["seen_at <= '2024-01-01T00:00:03Z'", "seen_at <= TIMESTAMPTZ '2024-01-01 00:00:03+00'"],
    ["place.label = 'l7' OR place.lat > 38", "place.label = 'l7' OR place.lat > 38"],
    ['place IS NOT NULL AND tags IS NULL', 'place IS NOT NULL AND tags IS NULL'],
  ] as const
  for (const [filter, where] of filters) {
    const answer = await rowsOf('filtered', { filter, columns: 'id' })
    expect([filter, ids(answer)]).toEqual([filter, await idsWhere(paths, where)])
  }
})

test('pages have each row once, whatever is committed in between', async () => {
  await tableOf('paged', 3)
  let added = 100
  for (const parameters of [{}, { filter: 'id <> 4' }, { order_by: 'city desc nulls first' }]) {
    const found: number[] = []
    let after: string | null = null
    let snapshot: string | undefined
    do {
      const page = await rowsOf('paged', {
        ...(parameters as Record<string, string>),
        limit: '7',
        ...(after !== null && { after }),
      })
      snapshot ??= page.snapshot_id
      expect(page.snapshot_id).toBe(snapshot)
      found.push(...ids(page))
      after = page.next_page_token
      if (found.length === 7) await addFile('paged', added++)
    } while (after !== null)
    const expected = [...new Set(found)].length
    expect(found).toHaveLength(expected)
    const total = (
      await rowsOf('paged', { limit: '1000', ...parameters, snapshot_id: snapshot ?? '' })
    ).rows
    expect(found).toEqual(total.map(({ id }: Json) => id))
  }
})

test('a token of another request is refused', async () => {
  await tableOf('tokens', 2)
  const { next_page_token: after } = await rowsOf('tokens', { limit: '3' })
  const other = new URLSearchParams({ limit: '3', after, filter: 'id > 1' })
  const answer = await ask(service, `/v1/tables/tokens/rows?${other}`)
  expect(answer).toMatchObject({ status: 400, body: { type: '/problems/page-token-invalid' } })
})

test('CSV has a header, NDJSON a row a line, and the next page is a Link', async () => {
  await tableOf('forms', 1)
  const csv = await fetch(`${service.url}/v1/tables/forms/rows?format=csv&columns=id,city&limit=2`)
  expect(await csv.text()).toBe('id,city\n0,\n1,city 1\n')
  expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
  const link = /<(.*)>; rel="next"/.exec(csv.headers.get('link') ?? '')?.[1] ?? ''
  const next = await fetch(new URL(link, csv.url))
  expect(await next.text()).toBe('id,city\n2,city 2\n3,city 3\n')
  const lines = await fetch(`${service.url}/v1/tables/forms/rows?columns=id&limit=2`, {
    headers: { Accept: 'application/x-ndjson' },
  })
  expect(await lines.text()).toBe('{"id":0}\n{"id":1}\n')
})

test('what is asked wrongly is said', async () => {
  await tableOf('wrong', 1)
  const refused = async (parameters: Record<string, string>) => {
    const query = new URLSearchParams(parameters)
    const { status, body } = await ask(service, `/v1/tables/wrong/rows?${query}`)
    return [status, body.type.replace('/problems/', '')]
  }
  expect(await refused({ columns: 'none' })).toEqual([400, 'query-invalid'])
  expect(await refused({ columns: 'id,' })).toEqual([400, 'query-invalid'])
  expect(await refused({ columns: "id'" })).toEqual([400, 'query-invalid'])
  expect(await refused({ order_by: 'id sideways' })).toEqual([400, 'query-invalid'])
  expect(await refused({ order_by: 'tags' })).toEqual([400, 'query-invalid'])
  expect(await refused({ filter: 'id <' })).toEqual([400, 'filter-invalid'])
  expect(await refused({ limit: '10001' })).toEqual([400, 'request-invalid'])
  expect(await refused({ after: 'abc' })).toEqual([400, 'page-token-invalid'])
})

test('who asks for rows by an offset is told of the next page, and not of dumps', async () => {
  await tableOf('by_offset', 1)
  const { body } = await ask(service, '/v1/tables/by_offset/rows?limit=2&offset=2')
  expect(body.status).toBe(400)
  expect(body.detail).toMatch(/; the next page is asked for with `after`$/)
})
