import { CatalogError } from '../core/errors.ts'
import type { ManifestFile } from '../core/file/data-file.ts'
import { type DecodedManifest, manifestOf } from '../formats/manifest/manifest-reader.ts'
import type { DecodeResult, DecodeTask } from './manifest-message.ts'
import { idlestOf, TaskThread } from './task-thread.ts'

/** Threads that decode manifests, to keep the event loop free. */
export class ManifestThreads {
  readonly #threads: readonly TaskThread<DecodeTask, DecodeResult>[]

  constructor(threads: number) {
    const module = { from: import.meta.url, path: './manifest-worker', name: 'moraine-manifests' }
    this.#threads = Array.from({ length: Math.max(1, threads) }, () => new TaskThread(module))
  }

  /** Does the same as `decodeManifest`. Rejects if the thread ends first. */
  async decode(file: Uint8Array, manifest: ManifestFile): Promise<DecodedManifest> {
    const { specId, lengthBytes } = manifest
    // A copy, because sent memory is lost here and others may use the file.
    const copy = new Uint8Array(file)
    const task = { file: copy, manifest: { specId, lengthBytes } }
    const result = await idlestOf(this.#threads).run(task, [copy.buffer])
    if ('content' in result) return manifestOf(result.content, manifest)
    const { code, message } = result.failure
    throw code === undefined ? new Error(message) : new CatalogError(code, message)
  }

  /** Rejects running tasks. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}
