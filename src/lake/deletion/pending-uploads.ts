import type { Stores } from '../../catalog/catalog.ts'
import type { FileDeletion } from '../../catalog/deletion-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

export type PendingUploadDependencies = Stores<'deletions'> & {
  readonly ambient: Pick<Ambient, 'newUuid' | 'nowMs'>
  readonly objects: Pick<ObjectStore, 'find'>
  /** How long files stay after nothing names them any more. */
  readonly deleteGraceMs: number
}

/** No commit takes so long from the placing of its file to its end. */
const COMMIT_MS_MAX = 24 * 3_600_000

/**
 * Files of an upload between their placing and the commit or transaction that names them: each is
 * to be deleted from before it is there until something names it, which takes that away. So those
 * of a process that was killed in between go, after a day and the grace, and no file goes for its
 * name: what the service did not place itself is not among them.
 */
export class PendingUploads {
  readonly #deps: PendingUploadDependencies
  readonly #tableUuid: string
  readonly #deletions: FileDeletion[] = []

  constructor(deps: PendingUploadDependencies, tableUuid: string) {
    this.#deps = deps
    this.#tableUuid = tableUuid
  }

  /** Durable when it resolves; to be called before any of the files is there. */
  async add(paths: readonly string[]): Promise<void> {
    const { ambient, catalog, deleteGraceMs } = this.#deps
    const mark = ambient.newUuid()
    const dueAtMs = ambient.nowMs() + COMMIT_MS_MAX + deleteGraceMs
    const rest = { tableUuid: this.#tableUuid, mark, reason: 'upload', dueAtMs } as const
    const deletions = paths.map((path) => ({ path, ...rest }))
    await catalog.deletions.add(deletions)
    this.#deletions.push(...deletions.map((each) => ({ ...each, state: 'doomed' as const })))
  }

  /** After a refusal: nothing is left to be deleted of the files that are gone. Never throws. */
  async forgetGone(): Promise<void> {
    const { catalog, objects } = this.#deps
    try {
      const found = await Promise.all(this.#deletions.map(({ path }) => objects.find(path)))
      await catalog.deletions.forget(this.#deletions.filter((_, i) => found[i] === undefined))
    } catch {
      // Deleting a file that is gone changes nothing.
    }
  }
}
