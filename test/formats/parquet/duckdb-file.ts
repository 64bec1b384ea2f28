import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

/** DuckDB on a folder of its own: it writes the files, and is the oracle of what is in them. */
export interface DuckDBFolder {
  readonly connection: DuckDBConnection
  path(name: string): string
  /** Rows with values as JavaScript has them: bigint for every 64-bit integer. */
  rows(sql: string): Promise<readonly (readonly unknown[])[]>
  close(): void
}

export async function openDuckDBFolder(): Promise<DuckDBFolder> {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-parquet-'))
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  return {
    connection,
    path: (name) => join(folder, name),
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowsJS(),
    close: () => {
      connection.closeSync()
      instance.closeSync()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
