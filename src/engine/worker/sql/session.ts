import { realpathSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { quoteConstant } from './sql-text.ts'

export interface SessionOptions {
  readonly memoryBytes: number
  /** Working folder of the process, whose files are read and written by relative names. */
  readonly folder: string
  /** Files outside the folder to which links in it lead. */
  readonly linkedPaths: readonly string[]
  /**
   * With `values`, queries use only values, and no statistics or filters of foreign files, but to
   * find the first rows of an order; with `nothing` not for that either, so that they read as much
   * whatever the statistics are.
   */
  readonly trust: 'statistics' | 'values' | 'nothing'
}

/**
 * A separate DuckDB for each task: one thread, rows in order, and no access outside the folder. Its
 * memory limit does not apply to single large values, so the process has a limit, too.
 */
export async function withSession<T>(
  options: SessionOptions,
  use: (connection: DuckDBConnection, instance: DuckDBInstance) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${options.memoryBytes}B`,
    preserve_insertion_order: 'true',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    enable_external_file_cache: 'false',
  })
  try {
    const connection = await instance.connect()
    try {
      for (const statement of lockDown(options)) await connection.run(statement)
      return await use(connection, instance)
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

function lockDown({ folder, linkedPaths, trust }: SessionOptions): readonly string[] {
  const paths = linkedPaths.map((path) => quoteConstant(realpathSync(path)))
  // DuckDB #24994: equality on binary columns uses a wrong Bloom filter, and 0.0 misses -0.0.
  const distrusted = 'filter_pushdown,join_filter_pushdown,statistics_propagation'
  // The first rows of an order leave out row groups by their statistics, as they are found.
  const telling = `${distrusted},top_n,row_group_pruner,late_materialization`
  const disabled = { statistics: undefined, values: distrusted, nothing: telling }[trust]
  return [
    `SET TimeZone = 'UTC'`,
    // A column that the key `geo` of a file calls a geometry is binary in the table.
    'SET enable_geoparquet_conversion = false',
    `SET temp_directory = ${quoteConstant(`${folder}/spill`)}`,
    `SET allowed_directories = [${quoteConstant(folder)}]`,
    `SET allowed_paths = [${paths.join(', ')}]`,
    ...(disabled === undefined ? [] : [`SET disabled_optimizers = '${disabled}'`]),
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]
}
