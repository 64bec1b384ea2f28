import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'

/** The file of an open database, which must stay where it is. */
export class CatalogFile {
  readonly #path: string
  readonly #opened: BigIntStats

  private constructor(path: string, opened: BigIntStats) {
    this.#path = path
    this.#opened = opened
  }

  static async of(path: string): Promise<CatalogFile> {
    return new CatalogFile(path, await stat(path, { bigint: true }))
  }

  /** When it was opened, without its log. */
  get sizeBytes(): number {
    return Number(this.#opened.size)
  }

  /**
   * Throws when the path leads to another file or nowhere: what is written to this one, the next
   * start would not find. Costs microseconds, a transaction milliseconds.
   */
  requireInPlace(): void {
    const now = statSync(this.#path, { bigint: true, throwIfNoEntry: false })
    if (now?.ino === this.#opened.ino && now.dev === this.#opened.dev) return
    const message = `the catalog's file ${this.#path} was moved or replaced while it is open`
    throw Object.assign(new Error(message), { code: 'SQLITE_READONLY_DBMOVED' })
  }
}
