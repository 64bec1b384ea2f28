import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { jest } from '@jest/globals'
import { COLUMNS_MAX } from '../../src/core/schema/schema-rules.ts'
import { type Answer, ask, must, post, type RequestOptions } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { writeParquet } from '../parquet-files.ts'

/** Of each file: more than one vector of the engine. */
const ROWS = 2_100
/** Types that take turns, and a value of each in row `i`. A list is two columns. */
const KINDS = [
  { type: 'long', sql: '9007199254740993 + i', json: (i: number) => 1_000 + i, fields: 1 },
  { type: 'string', sql: `'text <' || i || '>'`, json: (i: number) => `t"${i}`, fields: 1 },
  {
    ...{ type: 'timestamp', sql: `TIMESTAMP '2024-01-01 00:00:00' + to_seconds(i)`, fields: 1 },
    json: () => '2024-02-29T12:00:00.000001',
  },
  { type: 'decimal(12,3)', sql: 'CAST(i AS DECIMAL(12,3))', json: () => '12.345', fields: 1 },
  {
    type: 'double',
    sql: `CASE WHEN i % 2 = 0 THEN i / 4 ELSE -0.0 END`,
    json: () => 0.5,
    fields: 1,
  },
  { type: 'list<long>', sql: '[i, NULL]', json: (i: number) => [i, null], fields: 2 },
] as const

/** Columns of a table that has so many of them, nested ones included. */
function columnsOf(width: number) {
  const columns: { name: string; kind: (typeof KINDS)[number] }[] = []
  for (let fields = 0; fields < width; ) {
    const next = KINDS[columns.length % KINDS.length] as (typeof KINDS)[number]
    const kind = fields + next.fields > width ? KINDS[0] : next
    columns.push({ name: `c${columns.length}`, kind })
    fields += kind.fields
  }
  return columns
}

const WIDTHS = [1_001, COLUMNS_MAX]
/** So few that one pass of the engine makes a text of them. */
const NARROW = 301
const FORMATS = ['csv', 'tsv', 'json', 'ndjson', 'xml', 'arrow', 'parquet']

let service: TestService
const firstOf = new Map<number, string>()
beforeAll(async () => {
  service = await startTestService()
  for (const width of [NARROW, ...WIDTHS]) {
    const columns = columnsOf(width).map(({ name, kind }) => ({ name, type: kind.type }))
    await must(post(service, '/v1/tables', { name: `w${width}`, schema: { columns } }), 201)
    firstOf.set(width, await addRows(width, 0))
    await addRows(width, ROWS)
  }
}, 300_000)
jest.setTimeout(300_000)
afterAll(() => service.close())

async function addRows(width: number, from: number): Promise<string> {
  const values = columnsOf(width).map(({ name, kind }) => `${kind.sql} AS ${name}`)
  const query = `SELECT ${values.join(', ')} FROM range(${from}, ${from + ROWS}) t(i)`
  const path = await writeParquet(`${service.dataFolder}/${width}-${from}.parquet`, query)
  const files = { files: [{ path }] }
  const { results } = await must(post(service, `/v1/tables/w${width}/files`, files))
  return results[0].snapshot_id
}

async function dumpOf(table: string, format: string): Promise<Buffer> {
  const answer = await fetch(`${service.url}/v1/tables/${table}/dump?format=${format}`)
  const bytes = Buffer.from(await answer.arrayBuffer())
  const { status } = answer
  expect([status, status === 200 ? '' : bytes.toString()]).toEqual([200, ''])
  return bytes
}

/** The answer, which must be one of success. */
async function good(path: string, options: RequestOptions = {}): Promise<Answer> {
  const answer = await ask(service, path, options)
  if (answer.status < 300) return answer
  throw new Error(`${path.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 2_000)}`)
}

describe.each(WIDTHS)('a table of %d columns', (width) => {
  const table = `w${width}`
  const rowsPath = `/v1/tables/${table}/rows`
  const count = columnsOf(width).length

  test.each([
    '',
    'filter=c0 >= 9007199254740995',
    'order_by=c1 desc',
    "filter=c1 LIKE '%9>'&order_by=c3,c0",
  ])('answers rows: %s', async (parameters) => {
    const query = `limit=3&${encodeURI(parameters)}`
    const { body } = await good(`${rowsPath}?${query}`)
    expect(body.rows).toHaveLength(3)
    expect(Object.keys(body.rows[0])).toHaveLength(count)
    const lines = await good(`${rowsPath}?${query}&format=ndjson`)
    expect(lines.text.trim().split('\n')).toHaveLength(3)
    const csv = await good(`${rowsPath}?${query}&format=csv`)
    expect(csv.text.trim().split('\n')[0]?.split(',')).toHaveLength(count)
    const next = await good(`${rowsPath}?after=${body.next_page_token}&${query}`)
    expect(next.body.rows).toHaveLength(3)
  })

  test('answers rows of all columns by name, in an order of them all', async () => {
    const names = columnsOf(width).map(({ name }) => name)
    const plain = columnsOf(width).filter(({ kind }) => kind.fields === 1)
    const order_by = plain.map(({ name }) => ({ column: name }))
    const query = { source: { table }, columns: names, order_by, limit: 2 }
    const { body } = await good('/v1/query', { method: 'POST', json: query })
    expect(body.rows.map(({ c0 }: { c0: string }) => String(c0))).toEqual([
      ...['9007199254740993', '9007199254740994'],
    ])
  })

  test('answers queries of groups, and SQL', async () => {
    const aggregates = Array.from({ length: 199 }, (_, i) => {
      return { function: 'count', column: `c${i}`, as: `n${i}` }
    })
    const grouped = { source: { table }, group_by: ['c3'], aggregates, limit: 2 }
    const groups = await good('/v1/query', { method: 'POST', json: grouped })
    expect(Object.keys(groups.body.rows[0])).toHaveLength(200)
    const sql = `SELECT * FROM ${table} WHERE c0 > 0 ORDER BY c0 LIMIT 2`
    const all = await good('/v1/query', { method: 'POST', json: { sql } })
    expect(Object.keys(all.body.rows[0])).toHaveLength(count)
  })

  test('has statistics of its first and last columns', async () => {
    for (const column of ['c0', 'c1', `c${count - 1}`]) {
      const { body } = await good(`/v1/tables/${table}/columns/${column}/statistics`)
      expect(Number(body.rows)).toBeGreaterThanOrEqual(2 * ROWS)
    }
  })

  test('tells the rows that differ', async () => {
    const from = firstOf.get(width)
    const { text } = await good(
      `/v1/tables/${table}/diff?from=${from}&to=latest&rows=true&format=ndjson`,
    )
    expect(text.trim().split('\n').length).toBeGreaterThanOrEqual(ROWS)
  })

  test.each(FORMATS)(
    'is dumped as %s, each row as a table of fewer columns has it',
    async (format) => {
      const bytes = await dumpOf(`w${width}`, format)
      expect(bytes.length).toBeGreaterThan(ROWS * count)
      if (format === 'arrow' || format === 'parquet') return
      const lines = (text: Buffer) => text.subarray(0, 200_000).toString().split('\n')
      const few = lines(await dumpOf(`w${NARROW}`, format))
      const at = few.findIndex((line) => line.includes('9007199254740993'))
      const wide = lines(bytes).find((line) => line.includes('9007199254740993'))
      const beginning = few[at]?.replace(/(?:<\/row>|\],?|\})$/, '') ?? 'nothing'
      expect(wide?.slice(0, beginning.length)).toBe(beginning)
      expect(wide?.at(-1)).toBe(few[at]?.at(-1))
    },
  )

  test.each(['text/csv', 'application/x-ndjson', 'application/vnd.apache.parquet'])(
    'takes an upload of %s',
    async (type) => {
      const columns = columnsOf(width)
      const rows = [0, 1].map((i) =>
        Object.fromEntries(columns.map(({ name, kind }) => [name, kind.json(i)])),
      )
      const quoted = (value: unknown) =>
        `"${(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('"', '""')}"`
      const texts: Record<string, () => Promise<string | Uint8Array>> = {
        'text/csv': async () =>
          [columns.map(({ name }) => name), ...rows.map((row) => Object.values(row).map(quoted))]
            .map((line) => line.join(','))
            .join('\n'),
        'application/x-ndjson': async () => rows.map((row) => JSON.stringify(row)).join('\n'),
        'application/vnd.apache.parquet': () =>
          readFile(`${service.dataFolder}/${width}-0.parquet`),
      }
      const raw = await texts[type]?.()
      const headers = { 'Content-Type': type }
      await good(`/v1/tables/${table}/files`, { method: 'POST', raw, headers } as RequestOptions)
      const { body } = await good(`/v1/tables/${table}`)
      expect(body.totals.records).toBeGreaterThan(2 * ROWS)
    },
  )

  test('becomes a dataset, whole and by a query', async () => {
    const source = { table }
    for (const wish of [{ source }, { query: { source, filter: 'c0 > 9007199254740993' } }]) {
      const made = await good('/v1/datasets', { method: 'POST', json: wish })
      expect(made.body).toMatchObject({ state: 'ready' })
      const csv = await fetch(`${service.url}${made.body.url}/download?format=csv&compression=gzip`)
      expect([csv.status, gunzipSync(Buffer.from(await csv.arrayBuffer())).length]).toEqual([
        ...[200, expect.any(Number)],
      ])
    }
  })

  test('is rewritten when a column gets a type that files must be written again for', async () => {
    const changes = [{ op: 'widen', name: 'c0', type: 'double' }]
    await good(`/v1/tables/${table}/schemas`, { method: 'POST', json: { changes } })
    const { body } = await good(`${rowsPath}?limit=1`)
    expect(body.columns[0]).toEqual({ name: 'c0', type: 'double' })
  })
})
