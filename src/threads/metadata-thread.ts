import { CatalogError } from '../core/errors.ts'
import type { ViewMetadata } from '../core/metadata/view-metadata.ts'
import type { TableMetadata } from '../core/table/table.ts'
import type { MetadataResult, MetadataTask } from './metadata-message.ts'
import { TaskThread } from './task-thread.ts'
import { JoinedValue } from './value-parts.ts'

/** A thread that reads metadata files, which take seconds if somebody wants them to. */
export class MetadataThread {
  readonly #thread = new TaskThread<MetadataTask, MetadataResult>({
    ...{ from: import.meta.url, path: './metadata-worker', name: 'moraine-metadata' },
  })
  #lastId = 0

  /** Does the same as `readTableMetadataFile`. Rejects if the thread ends first. */
  async read(bytes: Uint8Array): Promise<TableMetadata> {
    return (await this.#read('table', bytes)) as TableMetadata
  }

  /** Does the same as `readViewMetadataFile`. Rejects if the thread ends first. */
  async readView(bytes: Uint8Array): Promise<ViewMetadata> {
    return (await this.#read('view', bytes)) as ViewMetadata
  }

  async #read(kind: 'table' | 'view', bytes: Uint8Array): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    const file = new Uint8Array(bytes)
    const joined = new JoinedValue()
    let result = await this.#thread.run({ kind, id, file }, [file.buffer])
    for (;;) {
      if ('failure' in result) throw new CatalogError(result.failure.code, result.failure.message)
      joined.add(result.part)
      if (result.left === 0) return joined.value
      result = await this.#thread.run({ kind: 'next', id })
    }
  }

  /** Rejects running tasks. */
  close(): Promise<void> {
    return this.#thread.close()
  }
}
