import type pg from 'pg'
import type { SourceWork } from '../row-source.ts'
import { listPartitions } from './detached-partition.ts'
import { oneStatement, selectOf, tableName } from './export-statements.ts'

const COUNT_TIMEOUT = '10min'

/** Rows that are to be archived, in a transaction that may write nothing. */
export async function countRows(
  client: pg.Client,
  task: string,
  work: SourceWork,
): Promise<number> {
  await client.query(
    'begin isolation level repeatable read read only; ' +
      `set local statement_timeout = '${COUNT_TIMEOUT}'`,
  )
  const rows = await rowsOf(client, task, work)
  await client.query('rollback')
  return rows
}

async function rowsOf(client: pg.Client, task: string, work: SourceWork): Promise<number> {
  if (work.mode === 'partition') {
    const { detached, attached } = await listPartitions(client, task, work)
    let rows = 0
    for (const name of [...detached, ...attached]) rows += await count(client, `only ${name}`)
    return rows
  }
  if ('table' in work) return count(client, `${tableName(work.table)} where (${work.where}\n)`)
  return count(client, `(${selectOf(work.select)}\n) as exported`)
}

async function count(client: pg.Client, from: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    oneStatement(`select count(*)::text as count from ${from}`),
  )
  return Number(rows[0]?.count)
}
