import { deleteQuietly } from './orphans.ts'
import type { SnapshotDependencies } from './snapshot-dependencies.ts'
import type { OwnManifests, PreparedSnapshot } from './snapshot-writer.ts'

/**
 * Manifests of the files that a batch adds, kept from an attempt that lost its race for the next
 * one: they say nothing of the snapshot or its parent, so only the list has to be written again.
 */
export class SpareManifests {
  readonly #deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>
  readonly #byTable = new Map<string, OwnManifests>()

  constructor(deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>) {
    this.#deps = deps
  }

  /** Lets `write` use those of the table; what it does not use is deleted. */
  async use(
    tableUuid: string,
    write: (spare: OwnManifests | undefined) => Promise<PreparedSnapshot | undefined>,
  ): Promise<PreparedSnapshot | undefined> {
    const spare = this.#byTable.get(tableUuid)
    this.#byTable.delete(tableUuid)
    let prepared: PreparedSnapshot | undefined
    try {
      prepared = await write(spare)
      return prepared
    } finally {
      if (spare !== undefined && prepared?.own.added !== spare.added) await this.#delete(spare)
    }
  }

  /** Deletes all that a lost attempt wrote for a table but what the next can use. */
  async keep(tableUuid: string, { own, writtenLocations }: PreparedSnapshot): Promise<void> {
    this.#byTable.set(tableUuid, own)
    const kept = new Set(pathsOf(own))
    await deleteQuietly(
      this.#deps,
      writtenLocations.filter((location) => !kept.has(location)),
    )
  }

  /** Deletes what nobody used. */
  async close(): Promise<void> {
    for (const spare of this.#byTable.values()) await this.#delete(spare)
    this.#byTable.clear()
  }

  #delete(spare: OwnManifests): Promise<void> {
    return deleteQuietly(this.#deps, pathsOf(spare))
  }
}

function pathsOf({ created }: OwnManifests): readonly string[] {
  return created.map(({ file }) => file.path)
}
