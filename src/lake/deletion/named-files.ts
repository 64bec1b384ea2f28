import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { Log } from '../../core/log.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { StoredJson, TableDefinition, TableState } from '../../core/table/table.ts'
import { keepsFiles } from '../../core/table-properties.ts'
import { Turns } from '../../core/turns.ts'
import { refsOf } from '../publish/metadata-pieces.ts'
import { forEachLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

export interface NamedFilesDependencies extends Stores<'publications' | 'snapshots' | 'tables'> {
  readonly manifests: ManifestCache
  readonly log: Log
}

/** By what a table names a file: a branch or tag, an older snapshot, or the table itself. */
export type NamedBy = { readonly ref: string; readonly type: 'branch' | 'tag' } | undefined

/** Told of each wanted file that a table names, by its key, and possibly several times. */
export type OnNamed = (key: string, by: NamedBy) => void

const PUBLICATIONS_MAX = 100_000

/**
 * Finds out which files of these keys a table names: in its metadata, and in the manifests of all
 * its snapshots. What cannot be read may name any of them; only files of snapshots that no branch
 * or tag has may be missing, as after a registration, and not of a table that keeps its files.
 */
export async function findNamed(
  deps: NamedFilesDependencies,
  state: TableState,
  wanted: ReadonlySet<string>,
  onNamed: OnNamed,
): Promise<void> {
  const { definition } = state
  const tell = (path: string, by: NamedBy) => {
    const key = locationKey(path)
    if (wanted.has(key)) onNamed(key, by)
  }
  const publications = await deps.catalog.publications.list(definition.tableUuid, PUBLICATIONS_MAX)
  for (const { metadataLocation } of publications) tell(metadataLocation, undefined)
  if (state.metadataLocation !== undefined) tell(state.metadataLocation, undefined)
  for (const path of statisticsPaths(definition)) tell(path, undefined)
  await findNamedBySnapshots(deps, state, wanted, onNamed)
}

async function findNamedBySnapshots(
  deps: NamedFilesDependencies,
  state: TableState,
  wanted: ReadonlySet<string>,
  onNamed: OnNamed,
): Promise<void> {
  const refsOfSnapshots = refsBySnapshot(state)
  const walk = new ManifestWalk(deps, wanted)
  const isWhole = keepsFiles(state.definition.properties)
  for await (const page of deps.catalog.snapshots.read(state.definition.tableUuid)) {
    for (const snapshot of page) {
      const refs = refsOfSnapshots.get(snapshot.snapshotId) ?? []
      const named = await walk.namedBy(snapshot, isWhole || refs.length > 0)
      const bys: readonly NamedBy[] = refs.length > 0 ? refs : [undefined]
      for (const by of bys) for (const key of named) onNamed(key, by)
    }
  }
}

/** Statistics files of a table, which are named by its metadata only. */
export function statisticsPaths({
  statistics = {},
  partitionStatistics = {},
}: Pick<TableDefinition, 'statistics' | 'partitionStatistics'>): readonly string[] {
  const pathOf = (file: StoredJson) => file['statistics-path']
  return [...Object.values(statistics), ...Object.values(partitionStatistics)]
    .map(pathOf)
    .filter((path) => typeof path === 'string')
}

function refsBySnapshot(state: TableState): ReadonlyMap<bigint, readonly NonNullable<NamedBy>[]> {
  const bySnapshot = new Map<bigint, NonNullable<NamedBy>[]>()
  for (const [ref, { snapshotId, type }] of Object.entries(refsOf(state))) {
    bySnapshot.set(snapshotId, [...(bySnapshot.get(snapshotId) ?? []), { ref, type }])
  }
  return bySnapshot
}

/** Reads each manifest once, whatever the number of snapshots that list it. */
export class ManifestWalk {
  readonly #deps: NamedFilesDependencies
  readonly #wanted: ReadonlySet<string>
  readonly #byManifest = new Map<string, readonly string[]>()
  readonly #turns = new Turns()

  constructor(deps: NamedFilesDependencies, wanted: ReadonlySet<string>) {
    this.#deps = deps
    this.#wanted = wanted
  }

  /** Keys of the wanted files that a snapshot names; all if it is needed and cannot be read. */
  async namedBy(
    { manifestList }: Pick<Snapshot, 'manifestList'>,
    isNeeded: boolean,
  ): Promise<ReadonlySet<string>> {
    const { manifests } = this.#deps
    const named = new Set(this.#wantedAmong([manifestList]))
    const listed = await this.#read(() => manifests.getManifestList(manifestList))
    if (listed === 'unreadable' || (listed === 'missing' && isNeeded)) return this.#wanted
    for (const file of listed === 'missing' ? [] : listed) {
      const keys = await this.#namedByManifest(file)
      if (keys === 'unreadable' || (keys === 'missing' && isNeeded)) return this.#wanted
      for (const key of keys === 'missing' ? this.#wantedAmong([file.path]) : keys) named.add(key)
    }
    return named
  }

  async #namedByManifest(
    file: ManifestFile,
  ): Promise<readonly string[] | 'missing' | 'unreadable'> {
    const known = this.#byManifest.get(file.path)
    if (known !== undefined) return known
    const manifest = await this.#read(() => this.#deps.manifests.getManifest(file))
    if (manifest === 'missing' || manifest === 'unreadable') return manifest
    const keys = this.#wantedAmong([file.path])
    await forEachLiveEntry(manifest, this.#turns, (i) => {
      const key = locationKey(manifest.path(i))
      if (this.#wanted.has(key)) keys.push(key)
    })
    this.#byManifest.set(file.path, keys)
    return keys
  }

  #wantedAmong(paths: readonly string[]): string[] {
    return paths.map(locationKey).filter((key) => this.#wanted.has(key))
  }

  async #read<T>(read: () => Promise<T>): Promise<T | 'missing' | 'unreadable'> {
    try {
      return await read()
    } catch (err) {
      if (!(err instanceof CatalogError) || err.code === 'overloaded') throw err
      if (err.code === 'file-not-found') return 'missing'
      this.#deps.log.warn({ err }, 'a manifest is unreadable: files that it may name are kept')
      return 'unreadable'
    }
  }
}
