import { join } from 'node:path'
import { ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { COLUMNS, SELECT } from './asked-rows.ts'

const QUERIES = 500
let service: TestService
const views: string[] = []

beforeAll(async () => {
  service = await startTestService()
  for (const name of ['asked', 'others']) {
    await must(post(service, '/v1/tables', { name, schema: { columns: COLUMNS } }), 201)
    const paths: string[] = []
    for (let i = 0; i < 4; i++) {
      const path = join(service.dataFolder, `${name}-${i}.parquet`)
      paths.push(await writeParquet(path, `${SELECT} FROM range(${i * 25}, ${i * 25 + 25}) t(i)`))
      await must(post(service, `/v1/tables/${name}/files`, { files: [{ path }] }), 200)
    }
    const list = paths.map((path) => `'${path}'`)
    views.push(`${name} AS (SELECT * FROM read_parquet([${list}]))`)
  }
})
afterAll(() => service.close())

/** Texts that are the same in each run. */
class Author {
  #state = 11
  #alias = 'a'

  query(): string {
    const shape = this.#roll(4)
    const rows = `${this.#from()} WHERE ${this.#condition(2)}`
    if (shape === 0) {
      const key = this.#value()
      const made = [this.#aggregate(), this.#aggregate()].map(text)
      const selected = `${text(key)} AS k, ${made.join(', ')}`
      return `SELECT ${selected} FROM ${rows} GROUP BY ${key} ORDER BY ALL`
    }
    if (shape === 1) return `SELECT ${text(this.#aggregate())} FROM ${rows}`
    const values = [this.#value(), this.#value(), this.#value()].map(text)
    if (shape === 2) return `SELECT DISTINCT ${values.join(', ')} FROM ${rows} ORDER BY ALL`
    const where = `${this.#from()} WHERE ${this.#condition(1)}`
    const pair = values.slice(0, 1).join(', ')
    return (
      `SELECT * FROM (SELECT ${pair} AS v FROM ${rows} ` +
      `${this.#pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} ` +
      `SELECT ${text(this.#value())} FROM ${where}) AS u ORDER BY ALL`
    )
  }

  #from(): string {
    this.#alias = 'a'
    const table = this.#pick(['asked', 'others'])
    if (this.#roll(3) > 0) return `${table} AS a`
    const join = this.#pick(['JOIN', 'LEFT JOIN', 'SEMI JOIN', 'ANTI JOIN'])
    return `${table} AS a ${join} others AS b ON a.id = b.id + ${this.#roll(20)}`
  }

  #condition(depth: number): string {
    if (depth > 0 && this.#roll(2) > 0) {
      const [left, right] = [this.#condition(depth - 1), this.#condition(depth - 1)]
      return `(${left} ${this.#pick(['AND', 'OR', 'AND NOT'])} ${right})`
    }
    return this.#pick([
      `${this.#alias}.id % ${2 + this.#roll(5)} = ${this.#roll(3)}`,
      `${this.#alias}.kind = 'k${this.#roll(5)}'`,
      `${this.#alias}.price > ${this.#roll(120)}.5`,
      `${this.#alias}.ratio <= ${this.#roll(30)}`,
      `${this.#alias}.day >= DATE '2024-01-0${1 + this.#roll(9)}'`,
      `${this.#alias}.ok IS NOT ${this.#pick(['NULL', 'TRUE'])}`,
      `${this.#alias}.small IN (${this.#roll(5)}, -${this.#roll(5)}, NULL)`,
      `${this.#alias}.id IN (SELECT id FROM others WHERE small = ${this.#roll(5)})`,
      `${this.#alias}.kind LIKE '%${this.#roll(4)}'`,
    ])
  }

  #value(): string {
    const a = this.#alias
    return this.#pick([
      ...[`${a}.id`, `${a}.kind`, `${a}.small`, `${a}.price`, `${a}.day`, `${a}.ok`],
      ...[`${a}.id // 10`, `abs(${a}.small)`, `upper(${a}.kind)`, `month(${a}.day)`],
      ...[`coalesce(${a}.kind, 'none')`, `CASE WHEN ${a}.ok THEN ${a}.small END`],
      ...[`round(${a}.price, 0)`, `${a}.price * 2`, `${a}.kind || '-' || ${a}.small`],
    ])
  }

  #aggregate(): string {
    const a = this.#alias
    return this.#pick([
      ...['count(*)', `count(${a}.kind)`, `sum(${a}.small)`, `sum(${a}.price)`, `avg(${a}.id)`],
      ...[`min(${a}.day)`, `max(${a}.ratio)`, `count(DISTINCT ${a}.kind)`, `median(${a}.id)`],
      ...[`bool_or(${a}.ok)`, `count(*) FILTER (WHERE ${a}.small > 0)`, `max(${a}.kind)`],
    ])
  }

  #pick(choices: readonly string[]): string {
    return choices[this.#roll(choices.length)] as string
  }

  #roll(sides: number): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((this.#state / 2_147_483_648) * sides)
  }
}

function text(expression: string): string {
  return `CAST(${expression} AS VARCHAR)`
}

/** On a machine that is busy a result may be late: then it is a dataset. */
async function rowsOf(sql: string): Promise<readonly Json[]> {
  const asked = await post(service, '/v1/query', { sql })
  if (asked.status === 200) return asked.body.rows
  expect([sql, asked.status, asked.text]).toEqual([sql, 202, asked.text])
  const { table } = await must(post(service, '/v1/datasets', { sql }), 200)
  return (await must(ask(service, `/v1/tables/${table}/rows?limit=10000`))).rows
}

test('five hundred generated texts have the rows that DuckDB has of the same files', async () => {
  const author = new Author()
  for (let i = 0; i < QUERIES; i++) {
    const sql = author.query()
    const ours = await rowsOf(sql)
    const theirs = await querySql(`WITH ${views.join(', ')} ${sql}`)
    const told = (rows: readonly Json[]) => rows.map((row) => Object.values(row))
    expect([sql, told(ours)]).toEqual([sql, told(theirs)])
  }
}, 300_000)
