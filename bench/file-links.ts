import { linkSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

/**
 * One small Parquet file of three columns under as many names as are asked for: hard links, made in
 * advance.
 */
export class FileLinks {
  readonly folder: string
  readonly template: string
  #linked = 0
  #taken = 0

  private constructor(home: string) {
    this.folder = join(home, 'lake')
    this.template = join(home, 'template.parquet')
  }

  static async make(home: string): Promise<FileLinks> {
    const links = new FileLinks(home)
    mkdirSync(links.folder)
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    await connection.run(
      `COPY (SELECT range AS id, range * 1.5 AS price, 'name ' || range AS name FROM range(1000))
       TO '${links.template}' (FORMAT parquet)`,
    )
    connection.closeSync()
    instance.closeSync()
    return links
  }

  /** Makes links in advance, so that the load does not wait for the file system. */
  prepare(count: number): void {
    while (this.#linked < this.#taken + count) linkSync(this.template, this.#path(this.#linked++))
  }

  take(): string {
    if (this.#taken === this.#linked) this.prepare(1)
    return this.#path(this.#taken++)
  }

  #path(index: number): string {
    return join(this.folder, `f-${index}.parquet`)
  }
}

/** Columns of the files; DuckDB writes 1.5 times a number as a decimal. */
export const LINKED_COLUMNS = [
  { name: 'id', type: 'long' },
  { name: 'price', type: 'decimal(21,1)' },
  { name: 'name', type: 'string' },
]
