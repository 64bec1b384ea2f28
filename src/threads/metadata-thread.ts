import { CatalogError } from '../core/errors.ts'
import type { ViewMetadata } from '../core/metadata/view-metadata.ts'
import type { TableMetadata } from '../core/table/table.ts'
import type { MetadataResult, MetadataTask } from './metadata-message.ts'
import { TaskThread } from './task-thread.ts'

/** A thread that reads metadata files, which take seconds if somebody wants them to. */
export class MetadataThread {
  readonly #thread = new TaskThread<MetadataTask, MetadataResult>({
    ...{ from: import.meta.url, path: './metadata-worker', name: 'moraine-metadata' },
  })
  #lastId = 0

  /** Does the same as `readTableMetadataFile`. Rejects if the thread ends first. */
  async read(bytes: Uint8Array): Promise<TableMetadata> {
    this.#lastId += 1
    const id = this.#lastId
    const file = new Uint8Array(bytes)
    const first = await this.#thread.run({ kind: 'read', id, file }, [file.buffer])
    if ('failure' in first) throw new CatalogError(first.failure.code, first.failure.message)
    if (!('metadata' in first)) throw new Error('the thread has not read the file')
    const metadataLog: TableMetadata['metadataLog'][number][] = []
    const snapshotLog: TableMetadata['snapshotLog'][number][] = []
    const snapshots: TableMetadata['snapshots'][number][] = []
    for (let number = 0; number < first.parts; number++) {
      const result = await this.#thread.run({ kind: 'next', id })
      if (!('part' in result)) throw new Error('the thread has no more of the file')
      metadataLog.push(...result.part.metadataLog)
      snapshotLog.push(...result.part.snapshotLog)
      snapshots.push(...result.part.snapshots)
    }
    return { ...first.metadata, metadataLog, snapshotLog, snapshots }
  }

  /** Does the same as `readViewMetadataFile`. Rejects if the thread ends first. */
  async readView(bytes: Uint8Array): Promise<ViewMetadata> {
    const file = new Uint8Array(bytes)
    const result = await this.#thread.run({ kind: 'view', file }, [file.buffer])
    if ('failure' in result) throw new CatalogError(result.failure.code, result.failure.message)
    if (!('view' in result)) throw new Error('the thread has not read the file')
    return result.view
  }

  /** Rejects running tasks. */
  close(): Promise<void> {
    return this.#thread.close()
  }
}
