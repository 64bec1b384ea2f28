import { realpathSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { quoteConstant } from './sql-text.ts'

/**
 * With `values`, queries use only values, and no statistics or filters of foreign files, but to
 * find the first rows of an order; with `nothing` not for that either, so that they read as much
 * whatever the statistics are.
 */
export type SessionTrust = 'statistics' | 'values' | 'nothing'

export interface SessionOptions {
  readonly memoryBytes: number
  /** Working folder of the process, whose files are read and written by relative names. */
  readonly folder: string
  /** Files outside the folder to which links in it lead. */
  readonly linkedPaths: readonly string[]
  readonly trust: SessionTrust
}

/**
 * A separate DuckDB for each task: one thread, rows in order, and no access outside the folder. Its
 * memory limit does not apply to single large values, so the process has a limit, too.
 */
export async function withSession<T>(
  { folder, linkedPaths, ...options }: SessionOptions,
  use: (connection: DuckDBConnection, instance: DuckDBInstance) => Promise<T>,
): Promise<T> {
  const instance = await lockedInstance({
    ...options,
    directories: [folder],
    paths: linkedPaths.map((path) => realpathSync(path)),
    temporaryFolder: `${folder}/spill`,
  })
  try {
    const connection = await instance.connect()
    try {
      return await use(connection, instance)
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

interface Locks {
  readonly memoryBytes: number
  readonly trust: SessionTrust
  readonly directories: readonly string[]
  readonly paths: readonly string[]
  /** Where it spills; nowhere if empty. */
  readonly temporaryFolder: string
}

/** A DuckDB whose settings nobody changes any more, whatever connection asks. */
export async function lockedInstance(locks: Locks): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${locks.memoryBytes}B`,
    preserve_insertion_order: 'true',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    enable_external_file_cache: 'false',
  })
  try {
    const connection = await instance.connect()
    try {
      await connection.run(lockDown(locks).join('; '))
    } finally {
      connection.closeSync()
    }
    return instance
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

function lockDown({ directories, paths, temporaryFolder, trust }: Locks): readonly string[] {
  const list = (texts: readonly string[]) => `[${texts.map(quoteConstant).join(', ')}]`
  // DuckDB #24994: equality on binary columns uses a wrong Bloom filter, and 0.0 misses -0.0.
  const distrusted = 'filter_pushdown,join_filter_pushdown,statistics_propagation'
  // The first rows of an order leave out row groups by their statistics, as they are found.
  const telling = `${distrusted},top_n,row_group_pruner,late_materialization`
  const disabled = { statistics: undefined, values: distrusted, nothing: telling }[trust]
  return [
    `SET GLOBAL TimeZone = 'UTC'`,
    // A column that the key `geo` of a file calls a geometry is binary in the table.
    'SET GLOBAL enable_geoparquet_conversion = false',
    `SET GLOBAL temp_directory = ${quoteConstant(temporaryFolder)}`,
    `SET GLOBAL allowed_directories = ${list(directories)}`,
    `SET GLOBAL allowed_paths = ${list(paths)}`,
    ...(disabled === undefined ? [] : [`SET GLOBAL disabled_optimizers = '${disabled}'`]),
    'SET GLOBAL enable_external_access = false',
    'SET GLOBAL lock_configuration = true',
  ]
}
