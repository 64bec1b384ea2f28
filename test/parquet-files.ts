import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

/**
 * Writes the rows of a query to a Parquet file without field ids, as most writers do. Answers the
 * path.
 */
export async function writeParquet(path: string, query: string, options = ''): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await runSql(`COPY (${query}) TO '${path}' (FORMAT parquet${options})`)
  return path
}

/** Rows of a query over Parquet files, as JSON values. */
export async function querySql(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function runSql(sql: string): Promise<void> {
  await querySql(sql)
}
