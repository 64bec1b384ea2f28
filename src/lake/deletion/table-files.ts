import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { liveFilesCount, type ManifestFile } from '../../core/file/data-file.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { Log } from '../../core/log.ts'
import { metadataFolder } from '../../core/table/metadata-folder.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { forEachLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'
import { sortMetadata } from '../table/foreign-metadata.ts'
import { statisticsPaths } from './named-files.ts'

const STAYS =
  'a purge leaves what it cannot tell from the metadata of another table in the same folder'

export interface TableFilesDependencies extends Stores<'snapshots'> {
  readonly manifests: ManifestCache
  readonly objects: Pick<ObjectStore, 'list' | 'readRange'>
  readonly log: Log
}

/**
 * All files that a table names, each once: those of its snapshots, its statistics, and the metadata
 * below its own location. Where metadata of other tables lies there, too, only what is named or
 * says that it is of this table.
 */
export class TableFiles {
  readonly #deps: TableFilesDependencies
  readonly #byKey = new Map<string, string>()
  readonly #turns = new Turns()

  constructor(deps: TableFilesDependencies) {
    this.#deps = deps
  }

  get count(): number {
    return this.#byKey.size
  }

  /** Adds what the table names now; returns what is new. */
  async collect(state: TableState): Promise<readonly string[]> {
    const before = this.#byKey.size
    for await (const page of this.#deps.catalog.snapshots.read(state.definition.tableUuid)) {
      for (const snapshot of page) await this.#addSnapshot(snapshot)
    }
    for (const path of statisticsPaths(state.definition)) this.#add(path)
    await this.#addMetadata(state)
    return [...this.#byKey.values()].slice(before)
  }

  /** Adds metadata files that were written meanwhile; returns what is new. */
  async collectMetadata(state: TableState): Promise<readonly string[]> {
    const before = this.#byKey.size
    await this.#addMetadata(state)
    return [...this.#byKey.values()].slice(before)
  }

  /** Whether it is new. */
  #add(path: string): boolean {
    const key = locationKey(path)
    if (this.#byKey.has(key)) return false
    this.#byKey.set(key, path)
    return true
  }

  async #addMetadata({ definition }: TableState): Promise<void> {
    const { location, tableUuid } = definition
    const folder = `${location}/metadata`
    const files = await this.#newIn(folder)
    // Nobody else has a folder that is called like this table.
    const isUnique = location.endsWith(`-${tableUuid}`)
    const { own, foreign, unsaid } = isUnique
      ? { own: files, foreign: [], unsaid: [] }
      : await sortMetadata(this.#deps, files, tableUuid)
    this.#addAll(own)
    if (foreign.length === 0) this.#addAll(unsaid)
    else this.#deps.log.warn({ folder, foreign: foreign[0] }, STAYS)
    const chosen = metadataFolder(definition)
    if (chosen === folder) return
    // A client chose it: others may have files of their own there.
    this.#addAll((await sortMetadata(this.#deps, await this.#newIn(chosen), tableUuid)).own)
  }

  async #newIn(folder: string): Promise<readonly string[]> {
    const files: string[] = []
    for await (const { location } of this.#deps.objects.list(folder)) {
      if (!this.#byKey.has(locationKey(location))) files.push(location)
    }
    return files
  }

  #addAll(paths: readonly string[]): void {
    for (const path of paths) this.#add(path)
  }

  async #addSnapshot({ manifestList }: Snapshot): Promise<void> {
    if (!this.#add(manifestList)) return
    const { manifests } = this.#deps
    const files = await this.#readOrSkip(() => manifests.getManifestList(manifestList))
    for (const file of files ?? []) await this.#addManifest(file)
  }

  async #addManifest(file: ManifestFile): Promise<void> {
    if (!this.#add(file.path) || liveFilesCount(file) === 0) return
    const manifest = await this.#readOrSkip(() => this.#deps.manifests.getManifest(file))
    if (manifest === undefined) return
    await forEachLiveEntry(manifest, this.#turns, (i) => {
      this.#add(manifest.path(i))
    })
  }

  /** `undefined` if unreadable: a table with missing or corrupt files can still be purged. */
  async #readOrSkip<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (err) {
      if (!(err instanceof CatalogError)) throw err
      const told = 'a purge could not read a file, so files that only it names will stay'
      this.#deps.log.warn({ err }, told)
      return undefined
    }
  }
}
