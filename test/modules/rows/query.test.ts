import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { COLUMNS, SELECT } from './asked-rows.ts'

let service: TestService
let paths: string[]

beforeAll(async () => {
  service = await startTestService()
  await must(post(service, '/v1/tables', { name: 'asked', schema: { columns: COLUMNS } }), 201)
  paths = []
  for (let i = 0; i < 6; i++) {
    const path = join(service.dataFolder, `asked-${i}.parquet`)
    paths.push(await writeParquet(path, `${SELECT} FROM range(${i * 50}, ${i * 50 + 50}) t(i)`))
    await must(post(service, '/v1/tables/asked/files', { files: [{ path }] }), 200)
  }
  await addWide()
})
afterAll(() => service.close())

/** More rows than come in a response. */
async function addWide(): Promise<void> {
  await must(post(service, '/v1/tables', { name: 'wide', schema: { columns: COLUMNS } }), 201)
  const path = join(service.dataFolder, 'wide.parquet')
  await writeParquet(path, `${SELECT} FROM range(10001) t(i)`)
  await must(post(service, '/v1/tables/wide/files', { files: [{ path }] }), 200)
}

const SOURCE = { source: { table: 'asked' } }

function rowsOf(query: object): Promise<Json> {
  return must(post(service, '/v1/query', { ...SOURCE, ...query })).then(({ rows }) => rows)
}

async function truth(sql: string): Promise<Json[]> {
  const list = paths.map((path) => `'${path}'`).join(', ')
  return await querySql(sql.replace('asked', `read_parquet([${list}])`))
}

/** Values by their texts: our NaN is null, as JSON has none. */
function told(rows: readonly Json[]): string[] {
  const text = (value: unknown) =>
    value === null || value === 'NaN' ? 'null' : String(Object.is(value, -0) ? 0 : value)
  return rows.map((row) =>
    Object.values(row as object)
      .map(text)
      .join(' | '),
  )
}

async function expectSame(query: object, sql: string): Promise<void> {
  expect([sql, ...told(await rowsOf(query))]).toEqual([sql, ...told(await truth(sql))])
}

test('groups, their aggregates and their order are those of SQL', async () => {
  await expectSame(
    {
      group_by: ['kind'],
      aggregates: [
        { function: 'count' },
        { function: 'count', column: 'ok' },
        { function: 'sum', column: 'small' },
        { function: 'sum', column: 'price' },
        { function: 'avg', column: 'price' },
        { function: 'min', column: 'day' },
        { function: 'max', column: 'ratio' },
        { function: 'count_distinct', column: 'small' },
      ],
    },
    'SELECT kind, count(*), count(ok), CAST(sum(small) AS DECIMAL(38,0)), sum(price), ' +
      'avg(price), min(day), max(ratio), count(DISTINCT small) AS d FROM asked ' +
      'GROUP BY 1 ORDER BY 1 NULLS LAST',
  )
  await expectSame(
    { aggregates: [{ function: 'min', column: 'ratio' }], filter: 'ratio = 0' },
    'SELECT min(ratio) FROM asked WHERE ratio = 0',
  )
  await expectSame(
    {
      group_by: ['day', 'ok'],
      aggregates: [{ function: 'count', as: 'n' }],
      order_by: [{ column: 'n', direction: 'desc' }],
      limit: 9,
    },
    'SELECT day, ok, count(*) n FROM asked GROUP BY ALL ' +
      'ORDER BY n DESC, day, ok NULLS LAST LIMIT 9',
  )
})

/** Small numbers that are the same in each run. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * sides)
  }
}

const LITERALS: Readonly<Record<string, readonly string[]>> = {
  id: ['0', '149', '150', '77.5', '-1', '9999999999999999999999'],
  kind: ["'k1'", "'k2'", "'zz'", "''"],
  small: ['-5', '0', '3', '2.5', '99999999999'],
  price: ['0', '12.5', '12.505', '370'],
  ratio: ['0', '-0.0', '3.25', '50', '1e300'],
  day: ["'2024-01-01'", "'2024-01-16'", "'2030-01-01'"],
  ok: ['TRUE', 'FALSE'],
}
const OPERATORS = ['=', '!=', '<', '<=', '>', '>=']

function randomFilter(roll: (sides: number) => number, depth: number): string {
  const pick = <T>(items: readonly T[]): T => items[roll(items.length)] as T
  if (depth > 0 && roll(3) > 0) {
    const [left, right] = [randomFilter(roll, depth - 1), randomFilter(roll, depth - 1)]
    return pick([`(${left} AND ${right})`, `(${left} OR ${right})`, `NOT (${left})`])
  }
  const column = pick(Object.keys(LITERALS))
  const literals = LITERALS[column] as readonly string[]
  const plain = `${column} ${pick(OPERATORS)} ${pick(literals)}`
  const set = `${column} ${pick(['IN', 'NOT IN'])} (${pick(literals)}, ${pick(literals)}, NULL)`
  const like = `kind ${pick(['LIKE', 'NOT LIKE'])} ${pick(["'k_'", "'%1'", "'k%'", "'z%z'"])}`
  return pick([plain, plain, plain, set, `${column} IS ${pick(['NULL', 'NOT NULL'])}`, like])
}

test('a hundred random filters keep what SQL keeps, within their estimates', async () => {
  const roll = dice(7)
  for (let i = 0; i < 100; i++) {
    const filter = randomFilter(roll, 3)
    const isGrouped = roll(2) === 1
    const query = isGrouped
      ? { filter, group_by: ['kind', 'ok'], aggregates: [{ function: 'count' }] }
      : { filter, columns: ['id', 'price', 'day'], order_by: [{ column: 'id' }] }
    const sql = isGrouped
      ? `SELECT kind, ok, count(*) FROM asked WHERE ${filter} GROUP BY ALL ` +
        'ORDER BY 1 NULLS LAST, 2 NULLS LAST'
      : `SELECT id, price, day FROM asked WHERE ${filter} ORDER BY id`
    await expectSame(query, sql)
    const { rows } = await must(post(service, '/v1/query/estimate', { ...SOURCE, ...query }))
    const { length } = await rowsOf(query)
    expect([filter, rows.min <= length && length <= rows.max]).toEqual([filter, true])
  }
}, 300_000)

test('an estimate counts the rows of files in which every row matches', async () => {
  const estimate = (query: object) =>
    must(post(service, '/v1/query/estimate', { ...SOURCE, ...query }))
  expect(await estimate({})).toMatchObject({
    rows: { min: 300, max: 300 },
    files: 6,
    files_skipped: 0,
    would: 'inline',
  })
  expect(await estimate({ filter: 'id >= 125' })).toMatchObject({
    rows: { min: 150, max: 200 },
    files: 4,
    files_skipped: 2,
  })
  expect(await estimate({ filter: "kind = 'k1'" })).toMatchObject({ rows: { min: 0, max: 300 } })
  const few = await estimate({ filter: "kind = 'k1'", limit: 7 })
  expect(few).toMatchObject({ rows: { min: 0, max: 7 } })
  expect(await estimate({ aggregates: [{ function: 'count' }] })).toMatchObject({
    rows: { min: 1, max: 1 },
  })
  const [all, one] = [await estimate({}), await estimate({ columns: ['ok'] })]
  expect(one.bytes).toBeLessThan(all.bytes)
})

test('what may be large is not tried where only the result itself is wanted', async () => {
  const query = { source: { table: 'wide' }, columns: ['id'] }
  const refused = await ask(service, '/v1/query?inline=require', { method: 'POST', json: query })
  expect(refused).toMatchObject({
    status: 413,
    body: {
      type: '/problems/result-too-large',
      estimate: { rows: { min: 10_001, max: 10_001 }, would: 'dataset' },
    },
  })
  const counted = { ...query, columns: undefined, aggregates: [{ function: 'count' }] }
  expect((await must(post(service, '/v1/query', counted))).rows).toEqual([{ count: 10_001 }])
})

test('what does not fit becomes a dataset, and so does what is not waited for', async () => {
  const query = { source: { table: 'wide' }, columns: ['id'] }
  const later = await ask(service, '/v1/query', { method: 'POST', json: query })
  expect(later).toMatchObject({ status: 202, body: { state: expect.any(String) } })
  const url = later.headers.get('content-location') ?? ''
  expect(later.headers.get('location')).toBe(`${url}/status`)
  const headers = { Prefer: 'respond-async' }
  const again = await ask(service, '/v1/query', { method: 'POST', json: query, headers })
  expect(again.status).toBe(202)
  expect(again.headers.get('preference-applied')).toBe('respond-async')
  expect(again.headers.get('content-location')).toBe(url)
  const small = { ...query, limit: 1 }
  const late = await ask(service, '/v1/query', { method: 'POST', json: small, headers })
  expect(late.status).toBe(202)
  const whole = { source: { table: 'wide' } }
  const frozen = await ask(service, '/v1/query', { method: 'POST', json: whole })
  expect(frozen).toMatchObject({ status: 202, body: { state: 'ready' } })
})

test('queries that cannot be are refused', async () => {
  const refused = async (query: object) => {
    const { status, body } = await post(service, '/v1/query', { ...SOURCE, ...query })
    return [status, body.type]
  }
  const invalid = [400, '/problems/query-invalid']
  expect(await refused({ columns: ['none'] })).toEqual(invalid)
  expect(await refused({ columns: [] })).toEqual(invalid)
  expect(await refused({ aggregates: [{ function: 'sum' }] })).toEqual(invalid)
  expect(await refused({ aggregates: [{ function: 'sum', column: 'kind' }] })).toEqual(invalid)
  expect(await refused({ group_by: ['ok'], columns: ['id'] })).toEqual(invalid)
  expect(await refused({ group_by: ['ok'], order_by: [{ column: 'id' }] })).toEqual(invalid)
  expect(await refused({ aggregates: [{ function: 'median', column: 'id' }] })).toEqual([
    400,
    '/problems/request-invalid',
  ])
  expect(await refused({ source: { table: 'nobody' } })).toEqual([404, '/problems/table-not-found'])
})

test.each([
  ['columns', { columns: ['id', 'id'] }, 'id'],
  ['aggregates', { aggregates: [{ function: 'count' }, { function: 'count' }] }, 'count'],
  [
    'a group and an aggregate',
    { group_by: ['kind'], aggregates: [{ function: 'count', as: 'kind' }] },
    'kind',
  ],
])('a result has no two columns of one name: %s', async (_, query, column) => {
  const { status, body } = await post(service, '/v1/query', { ...SOURCE, ...query })
  expect([status, body.type, body.column]).toEqual([400, '/problems/query-invalid', column])
  expect(body.detail).toContain('`as`')
})

test('a dataset has no two columns whose names differ in case only', async () => {
  const aggregates = [
    { function: 'count', as: 'n' },
    { function: 'count', as: 'N' },
  ]
  await must(post(service, '/v1/query', { ...SOURCE, aggregates }))
  const queried = await post(service, '/v1/datasets', { query: { ...SOURCE, aggregates } })
  expect([queried.status, queried.body.type]).toEqual([400, '/problems/query-invalid'])
  // What the engine makes of a text has names of its own where the text repeats one.
  for (const sql of ['SELECT id, id FROM asked', 'SELECT id AS n, id AS "N" FROM asked']) {
    const { columns } = await must(post(service, '/v1/datasets', { sql }), 201)
    const names = columns.map(({ name }: Json) => name.toLowerCase())
    expect(new Set(names).size).toBe(2)
  }
})
