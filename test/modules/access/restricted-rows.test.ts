import fc from 'fast-check'
import { type Answer, ask, type Json, must } from '../../http/client.ts'
import type { Caller, KeyedService } from './keyed-service.ts'
import { filters, MODEL, openRestrictedLab, POLICY, ROWS, TABLE } from './restricted-lab.ts'

let service: KeyedService
let staff: Caller
let reader: Caller

beforeAll(async () => {
  const lab = await openRestrictedLab()
  service = lab.service
  staff = lab.staff
  reader = lab.reader
})
afterAll(() => service.close())

const HIDING = { row_filter: 'id < 30', columns: [{ column: 'tail', action: 'mask-alphanum' }] }
const SHOWN = 'xx-nnnnnnnxx.x'

function restrict(policy: object) {
  return must(service.admin.send('put', POLICY, policy))
}

function rows(caller: Caller, parameters: Record<string, string>): Promise<Answer> {
  return caller.send('get', `${TABLE}/rows?${new URLSearchParams(parameters)}`)
}

function query(caller: Caller, json: object, parameters = ''): Promise<Answer> {
  return caller.send('post', `/v1/query${parameters}`, json)
}

const FLIGHTS = { source: { table: 'air.flights' } }

async function idsWhere(filter: string): Promise<readonly number[]> {
  const found = await must(rows(reader, { columns: 'id', filter, limit: '1000' }))
  return found.rows.map(({ id }: Json) => id)
}

test('rows and queries have exactly what the dump has, page by page', async () => {
  const columns = [
    { column: 'region', action: 'mask-to-fixed-value' },
    { column: 'tail', action: 'show-last-4' },
    { column: 'day', action: 'truncate-to-month' },
    { column: 'late', action: 'replace-with-null' },
    { column: 'id', action: 'sha-256-global' },
  ]
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 3, max: 40 }), async ([text], limit) => {
      await restrict({ row_filter: text, columns })
      const dump = await reader.send('get', `${TABLE}/dump?format=ndjson`)
      expect(dump.status).toBe(200)
      let pages = ''
      for (let after: string | null = ''; after !== null; ) {
        const asked = { limit: `${limit}`, format: 'ndjson', ...(after !== '' && { after }) }
        const page = await rows(reader, asked)
        expect([page.status, page.text]).toEqual([200, page.text])
        pages += page.text
        const next = /<\?(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1]
        after = next === undefined ? null : new URLSearchParams(next).get('after')
      }
      expect(pages).toBe(dump.text)
      expect((await query(reader, FLIGHTS, '?format=ndjson')).text).toBe(dump.text)
      const sql = 'SELECT * FROM air.flights'
      expect((await query(reader, { sql }, '?format=ndjson')).text).toBe(dump.text)
    }),
    { numRuns: 8, seed: 7 },
  )
})

test('what a caller asks is asked of what is shown, and not of what is there', async () => {
  await restrict({ row_filter: 'id < 30', columns: [...HIDING.columns, hiddenLate] })
  const shown = MODEL.filter(({ id }) => id < 30).map(({ id }) => id)
  for (const [filter, ids] of [
    ["tail LIKE 'Ab-400%'", []],
    [`tail = '${SHOWN}'`, shown],
    ['late IS NULL', shown],
    ['late = 7', []],
    ['id >= 28 OR late > 0', [28, 29]],
    ['id > 29', []],
    // Files that have no such value are read all the same.
    ["tail > 'a'", shown],
  ] as const) {
    expect([filter, await idsWhere(filter)]).toEqual([filter, ids])
  }
  const ordered = await must(rows(reader, { columns: 'id', order_by: 'tail,id desc', limit: '2' }))
  expect(ordered.rows).toEqual([{ id: 29 }, { id: 28 }])
  const aggregates = [
    { function: 'count' },
    { function: 'count', column: 'late' },
    { function: 'max', column: 'id' },
    { function: 'min', column: 'tail' },
    { function: 'count_distinct', column: 'tail' },
  ]
  expect((await must(query(reader, { ...FLIGHTS, aggregates }))).rows).toEqual([
    { count: 30, count_late: 0, max_id: 29, min_tail: SHOWN, count_distinct_tail: 1 },
  ])
  const groups = { ...FLIGHTS, group_by: ['tail'], aggregates: [{ function: 'count' }] }
  expect((await must(query(reader, groups))).rows).toEqual([{ tail: SHOWN, count: 30 }])
})

const hiddenLate = { column: 'late', action: 'replace-with-null' }

test('SQL reads what is shown of each table, and fails at no value that is not', async () => {
  await restrict({ ...HIDING, except: [staff.principal] })
  const open = {
    name: 'open',
    namespace: 'air',
    schema: { columns: [{ name: 'id', type: 'long' }] },
  }
  await must(service.admin.send('post', '/v1/tables', open), 201)
  const granted = [{ principal: reader.principal, privilege: 'select' }]
  const path = '/v1/tables/air.open/permissions'
  await must(service.admin.send('post', path, { grant: granted }))
  const joined = 'SELECT count(*) AS n FROM air.flights f LEFT JOIN air.open o ON f.id = o.id'
  expect((await must(query(reader, { sql: joined }))).rows).toEqual([{ n: 30 }])
  const texts = `SELECT DISTINCT tail FROM air.flights WHERE tail NOT LIKE 'Ab%'`
  expect((await must(query(reader, { sql: texts }))).rows).toEqual([{ tail: SHOWN }])
  const failing = `CAST(CASE WHEN id = 45 THEN 'seen' ELSE '1' END AS INTEGER)`
  for (const sql of [
    `SELECT count(*) AS n FROM air.flights WHERE ${failing} = 1`,
    `SELECT CAST(sum(${failing}) AS INTEGER) AS n FROM air.flights`,
  ]) {
    expect((await query(staff, { sql })).body.type).toBe('/problems/query-invalid')
    expect((await must(query(reader, { sql }))).rows).toEqual([{ n: 30 }])
  }
})

test('an estimate, a token and a refusal tell nothing of what is withheld', async () => {
  await restrict({ ...HIDING, except: [staff.principal] })
  const estimates = ["tail = 'Ab-4000003é😀.x'", 'id = 3', 'id = 45', "tail = 'no'"].map(
    async (filter) => {
      return must(
        reader.send('post', '/v1/query/estimate', { ...FLIGHTS, filter, columns: ['id'] }),
      )
    },
  )
  const [first, ...others] = await Promise.all(estimates)
  expect(first).toMatchObject({ rows: { min: 0, max: null }, files: 2, files_skipped: 0 })
  for (const other of others) expect(other).toEqual(first)
  // Of rows 0 to 59 every seventh is shown: a token counts those, and names no file.
  await restrict({ row_filter: 'id IN (7, 14, 21, 28, 35)' })
  const page = await must(rows(reader, { columns: 'id', limit: '3' }))
  const token = Buffer.from(page.next_page_token, 'base64url').toString()
  expect(JSON.parse(token).at(-1)).toBe(3)
  const rest = await must(rows(reader, { columns: 'id', limit: '3', after: page.next_page_token }))
  expect(rest.rows).toEqual([{ id: 28 }, { id: 35 }])
  // A token is of what its caller saw.
  await restrict({ row_filter: 'id IN (7, 14, 21, 28, 36)' })
  const late = await rows(reader, { columns: 'id', limit: '3', after: page.next_page_token })
  expect([late.status, late.body.type]).toEqual([400, '/problems/page-token-invalid'])
})

test('what is restricted becomes no dataset', async () => {
  await restrict(HIDING)
  const asked = [FLIGHTS, { sql: 'SELECT * FROM air.flights' }]
  for (const json of asked) {
    const headers = { Authorization: `Bearer ${reader.key}`, Prefer: 'respond-async' }
    const found = await ask(service, '/v1/query', { method: 'POST', headers, json })
    expect([found.status, found.body.rows?.length]).toEqual([200, 30])
  }
  const made = { name: 'kept', query: FLIGHTS }
  const refused = await reader.send('post', '/v1/datasets', made)
  expect([refused.status, refused.body.type]).toEqual([403, '/problems/table-restricted'])
  const many = 'SELECT a.id FROM air.flights a, air.flights b, air.flights c'
  const large = await query(reader, { sql: many })
  expect([large.status, large.body.type]).toEqual([413, '/problems/result-too-large'])
})

test('statistics of a column are those of what is shown, for each who sees the same', async () => {
  await restrict({ ...HIDING, except: [staff.principal] })
  const of = (caller: Caller, column: string) =>
    must(caller.send('get', `${TABLE}/columns/${column}/statistics`))
  const ends = 'id/statistics?only=rows,least,greatest'
  const endsOf = (caller: Caller) => must(caller.send('get', `${TABLE}/columns/${ends}`))
  expect(await endsOf(staff)).toMatchObject({ from: 'manifests', rows: ROWS, greatest: ROWS - 1 })
  expect(await endsOf(reader)).toMatchObject({ from: 'files', rows: 30, greatest: 29 })
  for (let turn = 0; turn < 2; turn++) {
    expect(await of(staff, 'id')).toMatchObject({ rows: ROWS, least: 0, greatest: ROWS - 1 })
    expect(await of(reader, 'id')).toMatchObject({ rows: 30, least: 0, greatest: 29 })
    expect(await of(reader, 'tail')).toMatchObject({
      ...{ rows: 30, least: SHOWN, greatest: SHOWN },
      top_values: [{ value: SHOWN, rows: 30 }],
    })
  }
  await restrict({ row_filter: 'id < 5' })
  expect(await of(reader, 'id')).toMatchObject({ rows: 5, greatest: 4 })
})

test('rows that differ are those that the dumps differ in; counts are withheld', async () => {
  await restrict({ row_filter: 'id >= 20', columns: HIDING.columns })
  const history = await must(reader.send('get', `${TABLE}/snapshots`))
  const [to, from] = history.snapshots.map(({ snapshot_id: id }: Json) => id)
  const counts = await reader.send('get', `${TABLE}/diff?from=${from}&to=${to}`)
  expect([counts.status, counts.body.type]).toEqual([403, '/problems/table-restricted'])
  expect(counts.body.detail).toContain('rows=true')
  const found = await must(reader.send('get', `${TABLE}/diff?from=${from}&to=${to}&rows=true`))
  const changes = found.rows.map(({ _change, id, tail }: Json) => [id, _change, tail])
  expect(changes.sort()).toEqual(MODEL.slice(30).map(({ id }) => [id, 'insert', SHOWN]))
})
