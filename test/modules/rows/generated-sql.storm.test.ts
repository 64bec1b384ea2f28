import { join } from 'node:path'
import { type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { querySql, writeParquet } from '../../parquet-files.ts'
import { COLUMNS, SELECT } from './asked-rows.ts'
import { Dice } from './dice.ts'
import { rowsOfSql } from './rows-of-sql.ts'
import { SqlAuthor } from './sql-author.ts'

/** TEST_QUERIES=500 for all of them. */
const QUERIES = Number(process.env['TEST_QUERIES'] ?? 200)
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

test(`${QUERIES} generated texts have the rows that DuckDB has of the same files`, async () => {
  const author = new SqlAuthor(new Dice(11))
  for (let i = 0; i < QUERIES; i++) {
    const sql = author.query()
    const ours = await rowsOfSql(service, sql)
    const theirs = await querySql(`WITH ${views.join(', ')} ${sql}`)
    const told = (rows: readonly Json[]) => rows.map((row) => Object.values(row))
    expect([sql, told(ours)]).toEqual([sql, told(theirs)])
  }
}, 300_000)
