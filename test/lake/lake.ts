import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { SnapshotSelector } from '../../src/core/table/snapshot-selector.ts'
import { readTable } from '../../src/modules/tables/tables.ts'
import { commitFiles } from './trusted-caller.ts'
import type { Workshop } from './workshop.ts'

/**
 * One DuckDB for all Parquet files of a test file: opening one costs more than writing a small
 * file.
 */
export class Lake {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  static async open(): Promise<Lake> {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    await connection.run("SET TimeZone = 'UTC'")
    return new Lake(instance, connection)
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.#connection.runAndReadAll(sql)).getRowObjectsJson()
  }

  /** Writes the rows of a query to a Parquet file; returns the path. */
  async write(path: string, query: string, options = ''): Promise<string> {
    await mkdir(dirname(path), { recursive: true })
    await this.#connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet${options})`)
    return path
  }

  /** A file of a column `n` with the numbers from `first`, `count` of them. */
  numbers(shop: Workshop, name: string, first = 0, count = 10): Promise<string> {
    const query = `SELECT (${first} + range)::BIGINT AS n FROM range(${count})`
    return this.write(`${shop.dataFolder}/${name}.parquet`, query)
  }
}

export async function append(shop: Workshop, table: string, ...paths: string[]): Promise<bigint> {
  const { results } = await commitFiles(shop.deps, { table, paths })
  const snapshotId = results[0]?.snapshotId
  if (snapshotId === undefined) throw new Error('nothing was committed')
  return snapshotId
}

/** Names of the files that a table has, without folder and ending, sorted. */
export async function liveNames(
  shop: Pick<Workshop, 'deps'>,
  table: string,
  moment: SnapshotSelector = {},
): Promise<string[]> {
  const { plan } = await readTable(shop.deps, { table, ...moment })
  return [...plan.plannedFiles()].map((file) => nameOf(file.dataFile.path)).sort()
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'))
}
