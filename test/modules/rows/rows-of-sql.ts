import { ask, type Json, must, post } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'

/** On a machine that is busy a result may be late: then it is a dataset. */
export async function rowsOfSql(service: TestService, sql: string): Promise<readonly Json[]> {
  const asked = await post(service, '/v1/query', { sql })
  if (asked.status === 200) return asked.body.rows
  expect([sql, asked.status, asked.text]).toEqual([sql, 202, asked.text])
  const { table } = await must(post(service, '/v1/datasets', { sql }), 200)
  return (await must(ask(service, `/v1/tables/${table}/rows?limit=10000`))).rows
}
