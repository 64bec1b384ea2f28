import type { DuckDBConnection } from '@duckdb/node-api'
import type { SourceFile } from '../../engine.ts'
import { isNotUtf8, notUtf8 } from '../sql/failure.ts'
import { columnNamed, type ParquetFile } from '../sql/parquet-file.ts'

/**
 * Names the column in which text is none, by reading one column after the other once the work has
 * failed.
 */
export async function blamingColumn<T>(
  connection: DuckDBConnection,
  file: ParquetFile,
  source: Pick<SourceFile, 'path' | 'columns'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isNotUtf8(error)) throw error
    for (const { nameInFile } of source.columns) {
      if (nameInFile === undefined) continue
      const value = `c${columnNamed(file, nameInFile)}`
      const isRead = await isReadable(connection, `SELECT max(hash(${value})) FROM ${file.scan}`)
      if (!isRead) throw notUtf8(source.path, error, nameInFile)
    }
    throw error
  }
}

async function isReadable(connection: DuckDBConnection, sql: string): Promise<boolean> {
  try {
    await connection.run(sql)
    return true
  } catch (error) {
    if (isNotUtf8(error)) return false
    throw error
  }
}
