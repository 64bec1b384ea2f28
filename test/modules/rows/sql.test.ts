import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { HOSTILE, HOSTILE_PATH } from './hostile-sql.ts'

let service: TestService
const paths: Record<string, string[]> = { asked: [], others: [] }

const COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'kind', type: 'string' },
  { name: 'price', type: 'decimal(9,2)' },
  { name: 'day', type: 'date' },
  { name: 'tags', type: 'ARRAY<VARCHAR>' },
]
const SELECT =
  `SELECT i AS id, CASE WHEN i % 7 <> 0 THEN 'k' || (i % 4) END AS kind, ` +
  `CAST(i * 1.25 AS DECIMAL(9,2)) AS price, DATE '2024-01-01' + CAST(i // 10 AS INTEGER) AS day, ` +
  `[CAST(i AS VARCHAR), 'x'] AS tags `

beforeAll(async () => {
  service = await startTestService()
  for (const [name, found] of Object.entries(paths)) {
    await must(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
    for (let i = 0; i < 3; i++) found.push(await addFile(name, i))
  }
})
afterAll(() => service.close())

/** What hostile texts try to write. */
const WRITTEN = [`${HOSTILE_PATH}.csv`, `${HOSTILE_PATH}.db`]

async function addFile(name: string, index: number): Promise<string> {
  const path = join(service.dataFolder, `${name}-${index}.parquet`)
  await writeParquet(path, `${SELECT} FROM range(${index * 20}, ${index * 20 + 20}) t(i)`)
  await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }), 200)
  return path
}

function sqlOf(sql: string): Promise<Json> {
  return must(post(service, '/v1/query', { sql })).then(({ rows }) => rows)
}

async function truth(sql: string): Promise<Json[]> {
  const read = (name: string) => `read_parquet([${paths[name]?.map((path) => `'${path}'`)}])`
  const views = (text: string) =>
    `WITH asked AS (SELECT * FROM ${read('asked')}), others AS (SELECT * FROM ${read('others')}) ` +
    `SELECT * FROM (${text})`
  return await querySql(views(sql))
}

function told(rows: readonly Json[]): string[] {
  return rows.map((row) =>
    Object.values(row as object)
      .map(String)
      .join(' | '),
  )
}

const QUESTIONS = [
  'SELECT id, kind FROM asked ORDER BY id DESC LIMIT 5',
  'SELECT kind, count(*) AS n, sum(price) AS paid FROM asked GROUP BY kind ORDER BY kind',
  'WITH a AS (SELECT id, price FROM asked WHERE id < 9), b AS (SELECT * FROM a WHERE id > 3) ' +
    'SELECT b.id, a.price FROM a JOIN b USING (id) ORDER BY 1',
  'SELECT a.id FROM asked a LEFT JOIN others o ON a.id = o.id + 30 WHERE o.id IS NULL ORDER BY 1',
  'SELECT id, row_number() OVER (PARTITION BY kind ORDER BY price DESC) AS place FROM asked ' +
    'QUALIFY place = 1 ORDER BY id',
  "SELECT day, list_contains(tags, '7') AS has, tags[1] AS one FROM asked ORDER BY id LIMIT 9",
  'SELECT id FROM asked WHERE id IN (SELECT id FROM others WHERE price > 60) ORDER BY id',
  'SELECT max(id) FROM asked UNION ALL SELECT min(id) FROM others',
  "SELECT CASE WHEN id > 30 THEN 'big' ELSE 'small' END AS size, avg(price) FROM asked " +
    'GROUP BY ALL HAVING count(*) > 1 ORDER BY 1',
  "SELECT CAST(date_trunc('month', day) AS DATE) AS m, count(DISTINCT kind) " +
    'FROM asked GROUP BY 1 ORDER BY 1',
  'SELECT 9223372036854775807 AS most, CAST(id AS DOUBLE) / 3 AS third ' +
    'FROM asked ORDER BY id LIMIT 3',
  "SELECT DISTINCT lower(kind) || '!' AS loud FROM asked WHERE kind LIKE 'k%' ORDER BY 1",
  'SELECT * EXCLUDE (tags, day) FROM asked WHERE price BETWEEN 10 AND 20 ORDER BY id',
  'SELECT asked.id FROM asked, (SELECT id FROM others WHERE id % 19 = 0) AS few ' +
    'WHERE asked.id = few.id ORDER BY 1',
]

test.each(QUESTIONS)('DuckDB gives the same for %s', async (sql) => {
  const [ours, theirs] = [await post(service, '/v1/query', { sql }), await truth(sql)]
  expect(ours.text).toContain('"rows"')
  const text = (rows: readonly Json[]) => told(rows).map((row) => row.replace(/ 00:00:00/g, ''))
  // 64-bit integers are numbers in our JSON.
  if (!sql.includes('9223372036854775807')) expect(text(ours.body.rows)).toEqual(text(theirs))
  else expect(ours.text).toContain('{"most":9223372036854775807,')
})

test('a table is read at a moment and at a version', async () => {
  const { sources } = await must(post(service, '/v1/query', { sql: 'SELECT * FROM others' }))
  const before = sources[0].snapshot_id
  await addFile('others', 7)
  const count = (at: string) => sqlOf(`SELECT count(*) AS n FROM others ${at}`)
  expect(await count('')).toEqual([{ n: 80 }])
  expect(await count(`AT (VERSION => ${before})`)).toEqual([{ n: 60 }])
  expect(await count(`AT (VERSION => 'main')`)).toEqual([{ n: 80 }])
  expect(await count(`AT (TIMESTAMP => '2999-01-01')`)).toEqual([{ n: 80 }])
  const early = await post(service, '/v1/query', {
    sql: `SELECT * FROM others AT (TIMESTAMP => '2001-01-01')`,
  })
  expect(early.body.type).toBe('/problems/as-at-before-first-snapshot')
  const unknown = await post(service, '/v1/query', { sql: 'SELECT * FROM sky.nobody' })
  expect(unknown.body.type).toBe('/problems/table-not-found')
})

test.each(['DELETE FROM asked', 'PIVOT asked ON kind', 'SELECT 1; DELETE FROM asked', ''])(
  'what is not one SELECT is told so, in words of ours: %s',
  async (sql) => {
    const { body } = await post(service, '/v1/query', { sql })
    expect([body.status, body.detail.includes('json')]).toEqual([400, false])
    if (sql !== '') expect(body.detail).toBe('a query is one SELECT, and nothing else')
  },
)

test.each([
  ['SELECT nothing FROM asked', 'there is no column nothing', { column: 'nothing' }],
  ['SELECT asked.prize FROM asked', 'asked has no column prize', { column: 'prize' }],
  ['SELECT b.id FROM asked AS a', 'FROM has no table b', {}],
  ['SELECT id FROM asked, others', 'write asked.id or others.id', { column: 'id' }],
  ['SELECT id, count(*) FROM asked', 'neither in GROUP BY nor in an aggregate', { column: 'id' }],
  ["SELECT abs('x') FROM asked", 'abs does not take values of these types', {}],
  ['SELECT FROM WHERE', 'unexpected', {}],
  ['SELECT id FROM default.asked', 'unexpected default: as a name, write "default"', {}],
  ['SELECT id FROM asked )', 'unexpected )', {}],
  ['SELECT * FROM asked WHERE', 'the query ends too early', {}],
  ['SELECT * EXCLUDE (nothing) FROM asked', 'there is no column nothing', { column: 'nothing' }],
  ["SELECT CAST('x' AS INTEGER) + id FROM asked", "string 'x'", {}],
])('what is wrong with a text is told in words of ours: %s', async (sql, told, facts) => {
  const { status, body } = await post(service, '/v1/query', { sql })
  expect([status, body.type]).toEqual([400, '/problems/query-invalid'])
  expect(body.detail).toContain(told)
  expect(body.detail).not.toMatch(/Error|clause!|LINE|json/)
  expect(body).toMatchObject(facts)
})

const VALUES = [
  ...['current_user', 'user', 'session_user', 'current_role', 'current_schema', 'localtime'],
  ...['current_catalog', 'current_date', 'current_time', 'current_timestamp', 'localtimestamp'],
]

test.each(VALUES)('%s is a column where a table has it, and nothing else', async (name) => {
  const refused = await post(service, '/v1/query', { sql: `SELECT ${name} FROM asked` })
  expect([refused.status, refused.body.type]).toEqual([400, '/problems/query-invalid'])
  expect(refused.body.detail).toBe(`there is no column ${name}`)
  const sql = `SELECT ${name} AS n FROM (SELECT id AS "${name}" FROM asked WHERE id = 3) AS s`
  expect(await sqlOf(sql)).toEqual([{ n: 3 }])
  for (const call of [`${name}()`, `main.${name}()`, `"${name}"()`]) {
    const { status } = await post(service, '/v1/query', { sql: `SELECT ${call} FROM asked` })
    expect([call, status]).toEqual([call, 400])
  }
})

test('the estimate of a text says what it reads, and not how many rows come of it', async () => {
  const sql = 'SELECT count(*) FROM asked, others'
  const answer = await must(post(service, '/v1/query/estimate', { sql }))
  expect(answer).toMatchObject({ rows: { min: 0, max: null }, would: 'dataset' })
  expect(answer.sources).toHaveLength(2)
})

test.each(HOSTILE)('a hostile text is refused: %#', async (sql) => {
  const { status, body } = await post(service, '/v1/query', { sql })
  expect([sql.slice(0, 100), status, body.type]).toEqual([
    sql.slice(0, 100),
    expect.any(Number),
    expect.stringMatching(
      /(query-invalid|request-invalid|table-not-found|name-invalid|body-invalid)$/,
    ),
  ])
  expect([400, 404, 422]).toContain(status)
})

test('no hostile text has written a file', () => {
  expect(WRITTEN.filter((path) => existsSync(path))).toEqual([])
})

test('a text of ten megabytes is refused by its size', async () => {
  const { status } = await post(service, '/v1/query', { sql: `SELECT '${'x'.repeat(10_000_000)}'` })
  expect(status).toBe(413)
})

/** Texts of what may be said, that take long or much. */
const BOMBS = [
  // 60 to the tenth: 60 to the sixth are counted within half a minute.
  `SELECT count(*) FROM ${[...'abcdefghij'].map((each) => `asked ${each}`)}`,
  `SELECT length(${'replace('.repeat(30)}'xx'${`, 'x', 'xxx')`.repeat(30)}) FROM asked`,
  'SELECT list(a.tags) FROM asked a, asked b, asked c, asked d, asked e',
]

test('bombs end in time, and others are answered while they burn', async () => {
  const burning = BOMBS.map((sql) =>
    ask(service, '/v1/query', { method: 'POST', json: { sql }, headers: { Prefer: 'wait=2' } }),
  )
  let ended = 0
  for (const bomb of burning) void bomb.then(() => ended++)
  const health = await ask(service, '/health')
  expect(health.status).toBe(200)
  await must(ask(service, '/v1/tables/asked'))
  // They were answered at once, and not when the last of what burns had let them.
  expect(ended).toBeLessThan(burning.length)
  const late: string[] = []
  for (const { status, headers } of await Promise.all(burning)) {
    expect([202, 413, 422, 503]).toContain(status)
    if (status === 202) late.push(headers.get('location') ?? '')
  }
  expect(late.length).toBeGreaterThan(0)
  // As datasets they burn on, where no query waits for them.
  expect(await sqlOf('SELECT count(*) AS n FROM asked')).toEqual([{ n: 60 }])
  for (const status of late) {
    const isEnded = async () =>
      !['queued', 'building'].includes((await must(ask(service, status))).state)
    await until(isEnded, 300_000)
    const { state, problem } = await must(ask(service, status))
    expect(state).toBe('failed')
    expect(['query-too-costly', 'storage-full']).toContain(problem.code)
  }
}, 600_000)

test('numbers keep the types that they were written with, and columns their names', async () => {
  const numbers = ['1e0', '2.0', '5.', '6', '1e5', '0.30000000000000004e0', '1.7e308', '-2.5e-3']
  const others = 'price * 1e0, coalesce(price, 2e0) AS other, [1e1]'
  const sql = `SELECT ${numbers.join(', ')}, ${others} FROM asked`
  const { columns, rows } = await must(post(service, '/v1/query', { sql: `${sql} WHERE id = 1` }))
  const described = sql.replace('asked', `'${paths['asked']?.[0]}'`)
  const theirs = await querySql(`SELECT column_name FROM (DESCRIBE ${described})`)
  expect(columns.map(({ name }: Json) => name)).toEqual(theirs.map((each) => each['column_name']))
  const kinds = columns.map(({ type }: Json) => (typeof type === 'string' ? type : type.type))
  expect(kinds).toEqual([
    ...['double', 'decimal(2,1)', 'decimal(1,0)', 'int', 'double', 'double', 'double', 'double'],
    ...['double', 'double', expect.anything()],
  ])
  expect(columns.map(({ name }: Json) => rows[0][name])).toEqual([
    ...[1, '2.0', '5', 6, 100_000, 0.30000000000000004, 1.7e308, -0.0025, 1.25, 1.25, [10]],
  ])
})

test('a number that is none is refused', async () => {
  const { status, body } = await post(service, '/v1/query', { sql: 'SELECT 1e400 FROM asked' })
  expect([status, body.type]).toEqual([400, '/problems/query-invalid'])
})

/** DuckDB #24794: it may end at these. What was asked before decides: the storms saw it. */
test.each(['LIMIT 0', 'LIMIT 1 - 1', 'FETCH FIRST 0 ROWS ONLY'])(
  'the first rows of an order may be none: %s',
  async (none) => {
    const long = `kind || ' is a longer text than fits beside its length'`
    const order = `SELECT ${long} AS long, id FROM asked ORDER BY 1, 2`
    for (let i = 0; i < 5; i++) {
      expect(await sqlOf(`${order} LIMIT ${40 + i}`)).toHaveLength(40 + i)
      expect(await sqlOf(`${order} ${none}`)).toEqual([])
      const part = `SELECT count(*) AS n FROM (${order} ${none}) AS part`
      expect(await sqlOf(part)).toEqual([{ n: 0 }])
    }
  },
)
