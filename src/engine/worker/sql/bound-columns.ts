import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'

export interface BoundColumn {
  readonly name: string
  readonly type: DuckDBType
}

/**
 * The columns of what may stand after `FROM`, which is bound and not run: DuckDB #24794, the first
 * no rows of an order end the process at times.
 */
export async function boundColumns(
  connection: DuckDBConnection,
  from: string,
): Promise<readonly BoundColumn[]> {
  const statement = await connection.prepare(`SELECT * FROM ${from}`)
  try {
    return Array.from({ length: statement.columnCount }, (_, i) => ({
      name: statement.columnName(i),
      type: statement.columnType(i),
    }))
  } finally {
    statement.destroySync()
  }
}
