import { ask, type Json, must, post } from '../../http/client.ts'
import type { TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'

/** On a machine that is busy a result may be late: then it is a dataset. */
export async function rowsOfSql(service: TestService, sql: string): Promise<readonly Json[]> {
  const asked = await post(service, '/v1/query', { sql })
  if (asked.status === 200) return asked.body.rows
  expect([sql, asked.status, asked.text]).toEqual([sql, 202, asked.text])
  const { table, status_url: status } = asked.body
  await until(async () => (await must(ask(service, status))).state === 'ready', 120_000)
  return (await must(ask(service, `/v1/tables/${table}/rows?limit=10000`))).rows
}
