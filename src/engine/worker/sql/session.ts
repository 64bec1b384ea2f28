import { realpathSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { quoteConstant } from './sql-text.ts'

export interface SessionOptions {
  readonly memoryBytes: number
  /** Read and written by relative names: the process stands in it. */
  readonly folder: string
  /** Files outside of the folder that links in it lead to. */
  readonly linkedPaths: readonly string[]
  /** Answers queries only from values, never from statistics or filters that a foreign file brings along. */
  readonly trust: 'statistics' | 'values'
}

/**
 * A DuckDB of its own for each task: one thread, order kept, and no way out of the folder. Its memory limit does not
 * hold for single large values, so the process has a limit too.
 */
export async function withSession<T>(
  options: SessionOptions,
  use: (connection: DuckDBConnection) => Promise<T>,
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
      return await use(connection)
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

function lockDown({ folder, linkedPaths, trust }: SessionOptions): readonly string[] {
  const paths = linkedPaths.map((path) => quoteConstant(realpathSync(path)))
  // DuckDB #24994: an equality on binary columns is answered from a wrong bloom filter; 0.0 misses -0.0.
  const distrusted = 'filter_pushdown,join_filter_pushdown,statistics_propagation'
  return [
    `SET TimeZone = 'UTC'`,
    `SET temp_directory = ${quoteConstant(`${folder}/spill`)}`,
    `SET allowed_directories = [${quoteConstant(folder)}]`,
    `SET allowed_paths = [${paths.join(', ')}]`,
    ...(trust === 'values' ? [`SET disabled_optimizers = '${distrusted}'`] : []),
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]
}
