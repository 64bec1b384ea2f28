import { CatalogError } from '../core/errors.ts'
import type { ManifestFile } from '../core/file/data-file.ts'
import { type DecodedManifest, manifestOf } from '../formats/manifest/manifest-reader.ts'
import type { DecodeResult, DecodeTask } from './manifest-message.ts'
import { idlestOf, TaskThread } from './task-thread.ts'

/** Threads that decode manifests, so that the event loop does not. */
export class ManifestThreads {
  readonly #threads: readonly TaskThread<DecodeTask, DecodeResult>[]

  constructor(threads: number) {
    const module = { from: import.meta.url, path: './manifest-worker', name: 'moraine-manifests' }
    this.#threads = Array.from({ length: Math.max(1, threads) }, () => new TaskThread(module))
  }

  /** As `decodeManifest`. Rejects when the thread ends before it is done. */
  async decode(file: Uint8Array, manifest: ManifestFile): Promise<DecodedManifest> {
    const { specId, lengthBytes } = manifest
    // A copy, for what is sent is lost here, and others may hold the file.
    const copy = new Uint8Array(file)
    const task = { file: copy, manifest: { specId, lengthBytes } }
    const result = await idlestOf(this.#threads).run(task, [copy.buffer])
    if ('content' in result) return manifestOf(result.content, manifest)
    const { code, message } = result.failure
    throw code === undefined ? new Error(message) : new CatalogError(code, message)
  }

  /** What is under way is rejected. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}
