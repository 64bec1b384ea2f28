import { type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import type { Lake } from '../../lake/lake.ts'
import { CHANGED_SQL, openChangedTables } from './changed-tables.ts'
import { Dice } from './dice.ts'
import { rowsOfSql } from './rows-of-sql.ts'
import { SqlAuthor } from './sql-author.ts'

/** TEST_QUERIES=500 for all of them. */
const QUERIES = Number(process.env['TEST_QUERIES'] ?? 200)
let service: TestService
let plain: Lake

beforeAll(async () => {
  service = await startTestService()
  plain = await openChangedTables(service)
})
afterAll(async () => {
  plain.close()
  await service.close()
})

test(`${QUERIES} generated texts of changed tables see the rows that were written`, async () => {
  const author = new SqlAuthor(new Dice(23), CHANGED_SQL)
  for (let i = 0; i < QUERIES; i++) {
    const sql = author.query()
    const ours = await rowsOfSql(service, sql)
    const theirs = await plain.query(sql)
    const told = (rows: readonly Json[]) => rows.map((row) => Object.values(row))
    expect([sql, told(ours)]).toEqual([sql, told(theirs)])
  }
}, 600_000)

const LITERALS: Readonly<Record<string, readonly string[]>> = {
  id: ['0', '24', '50', '77.5', '9999999999999999999999'],
  kind: ["'k1'", "'k2'", "''"],
  small: ['-5', '0', '2.5'],
  price: ['0', '12.505', '93.75'],
  ratio: ['0', '-0.0', '3.25', '1e300'],
  day: ["'2024-01-01'", "'2024-01-06'"],
  ok: ['TRUE', 'FALSE'],
  'place.zip': ['0', '3', '1.5'],
  'place.city': ["'t1'", "'t2'", "'zz'"],
  region: ["'north'", "'south'", "'east'"],
  grade: ['6', '7', '8.5'],
  note: ["'n1'", "'n2'"],
}
const COLUMNS = Object.keys(LITERALS)

/** A filter that is one of SQL, too. */
function filterOf(dice: Dice, depth: number): string {
  if (depth > 0 && dice.roll(3) > 0) {
    const [left, right] = [filterOf(dice, depth - 1), filterOf(dice, depth - 1)]
    return dice.pick([`(${left} AND ${right})`, `(${left} OR ${right})`, `NOT (${left})`])
  }
  const column = dice.pick(COLUMNS)
  const [one, other] = [dice.pick(LITERALS[column] ?? []), dice.pick(LITERALS[column] ?? [])]
  const compared = `${column} ${dice.pick(['=', '!=', '<', '<=', '>', '>='])} ${one}`
  return dice.pick([
    ...[compared, compared],
    `${column} ${dice.pick(['IN', 'NOT IN'])} (${one}, ${other}, NULL)`,
    `${dice.pick([column, 'place', 'tags', 'scores'])} IS ${dice.pick(['NULL', 'NOT NULL'])}`,
    `place.city ${dice.pick(['LIKE', 'NOT LIKE'])} ${dice.pick(["'t_'", "'%1'"])}`,
  ])
}

interface Asked {
  readonly query: object
  readonly sql: string
}

function grouped(dice: Dice, table: string, filter: string): Asked {
  const keys = [dice.pick(COLUMNS), dice.pick(['region', 'grade', 'note'])]
  const group = [...new Set(keys)]
  const column = dice.pick(['id', 'small', 'grade', 'place.zip'])
  const aggregates = [
    { function: 'count' },
    { function: 'sum', column, as: 'of_numbers' },
    { function: 'min', column: dice.pick(COLUMNS), as: 'least' },
    { function: 'count_distinct', column: 'place.city', as: 'cities' },
  ]
  const least = aggregates[2]?.column
  const values = `count(*), CAST(sum(${column}) AS DECIMAL(38,0)), min(${least}), `
  return {
    query: { filter, group_by: group, aggregates },
    sql:
      `SELECT ${group}, ${values} count(DISTINCT place.city) FROM ${table} WHERE ${filter} ` +
      `GROUP BY ${group} ORDER BY ${group.map((key) => `${key} NULLS LAST`)}`,
  }
}

function listed(dice: Dice, table: string, filter: string): Asked {
  const columns = ['id', dice.pick(COLUMNS), dice.pick(['place', 'tags', 'scores', 'place.city'])]
  const names = [...new Set(columns)]
  const limit = 1 + dice.roll(60)
  return {
    query: { filter, columns: names, order_by: [{ column: 'id', direction: 'desc' }], limit },
    sql: `SELECT ${names} FROM ${table} WHERE ${filter} ORDER BY id DESC LIMIT ${limit}`,
  }
}

/** Values as text: NaN is null in our JSON, 64-bit integers are text in theirs. */
function told(rows: readonly Json[]): readonly string[] {
  const values = (row: object) =>
    Object.entries(row).map(([name, value]) => (name === 'scores' ? mapOf(value) : value))
  return rows.map((row) =>
    JSON.stringify(values(row), (_, value: unknown) => {
      if (value === 'NaN') return null
      return typeof value === 'number' ? String(Object.is(value, -0) ? 0 : value) : value
    }),
  )
}

/** DuckDB lists the entries of a map. */
function mapOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  return Object.fromEntries(value.map((entry) => [entry.key, entry.value]))
}

test('structured queries of changed tables see the rows written', async () => {
  const dice = new Dice(5)
  for (let i = 0; i < QUERIES / 2.5; i++) {
    const table = dice.pick(['asked', 'others'])
    const filter = filterOf(dice, 2)
    const { query, sql } = (dice.roll(2) === 0 ? grouped : listed)(dice, table, filter)
    const answer = await must(post(service, '/v1/query', { source: { table }, ...query }))
    expect([sql, told(answer.rows)]).toEqual([sql, told(await plain.query(sql))])
  }
}, 600_000)
