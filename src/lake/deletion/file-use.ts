import type { Stores } from '../../catalog/catalog.ts'
import type { TableLocation } from '../../catalog/location-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { isBelow, locationKey } from '../../core/file/location-key.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { isMetadataName } from '../table/metadata-file-name.ts'
import type { FileNamers } from './file-namer.ts'
import { findNamed, ManifestWalk, type NamedFilesDependencies } from './named-files.ts'

export type FileUseDependencies = NamedFilesDependencies &
  Stores<'holds' | 'locations' | 'paths'> & {
    readonly ambient: Pick<Ambient, 'nowMs'>
    readonly fileNamers?: FileNamers
  }

/** What names files: a table, a branch or tag of one, an open transaction, a dump, a reader. */
export interface FileHolder {
  readonly kind: 'table' | 'branch' | 'tag' | 'dropped-table' | 'transaction' | string
  /** That of the table or reader, the id of the transaction, or the UUID of what is dropped. */
  readonly name: string
  readonly tableUuid: string
  /** Name of the branch or tag. */
  readonly ref?: string
}

/** What names which files, by the key of their location. */
export class FileUse {
  readonly #holders = new Map<string, FileHolder>()
  readonly #byKey = new Map<string, Set<string>>()
  /** Tables that may have named some of the files, and were asked. */
  readonly examinedTableUuids = new Set<string>()
  /** Which versions of these were there to ask. */
  readonly examinedVersions = new Map<string, number | undefined>()
  /** What was read, by the ids of the holds. */
  readonly examinedHoldIds = new Set<string>()

  add(key: string, holder: FileHolder): void {
    const id = JSON.stringify([holder.kind, holder.tableUuid, holder.name, holder.ref])
    this.#holders.set(id, holder)
    const ids = this.#byKey.get(key)
    if (ids === undefined) this.#byKey.set(key, new Set([id]))
    else ids.add(id)
  }

  isUsed(path: string): boolean {
    return this.#byKey.has(locationKey(path))
  }

  /** Used only while a transaction is open, something made of a table is there, or one reads. */
  isUsedForNow(path: string): boolean {
    const ids = [...(this.#byKey.get(locationKey(path)) ?? [])]
    return ids.length > 0 && ids.every((id) => !isOfTable(this.#holders.get(id)))
  }

  /** Everything that holds a file, for each file. */
  *held(): Generator<{ readonly id: string; readonly key: string; readonly holder: FileHolder }> {
    for (const [key, ids] of this.#byKey) {
      for (const id of ids) yield { id, key, holder: this.#holders.get(id) as FileHolder }
    }
  }
}

/** Whether it names files for as long as its table is there, or may come back. */
function isOfTable(holder: FileHolder | undefined): boolean {
  return isOfLivingTable(holder) || holder?.kind === 'dropped-table'
}

/** Whether it names files for as long as its table is there. */
export function isOfLivingTable(holder: FileHolder | undefined): boolean {
  return ['table', 'branch', 'tag'].includes(holder?.kind ?? '')
}

export interface CountedHolder extends FileHolder {
  readonly files: number
}

/** Everything that holds files, with the number of these; a file counts once. */
export class HolderCounts {
  readonly #counted = new Map<string, { holder: FileHolder; keys: Set<string> }>()

  add(use: FileUse): void {
    for (const { id, key, holder } of use.held()) {
      const entry = this.#counted.get(id)
      if (entry === undefined) this.#counted.set(id, { holder, keys: new Set([key]) })
      else entry.keys.add(key)
    }
  }

  list(): readonly CountedHolder[] {
    return Array.from(this.#counted.values(), ({ holder, keys }) => ({
      ...holder,
      files: keys.size,
    }))
  }
}

/**
 * Finds out what names these files: tables by the manifests of all their snapshots, open
 * transactions, what capabilities made of tables, and readers of snapshots. Tables that never knew
 * a path do not name it; the others are read. Whatever was known to a table that was dropped
 * without a purge is named: whoever brings it back needs it. `exceptTableUuid` is about to be
 * dropped.
 */
export async function findUse(
  deps: FileUseDependencies,
  paths: readonly string[],
  exceptTableUuid?: string,
): Promise<FileUse> {
  const use = new FileUse()
  const nowMs = deps.ambient.nowMs()
  for (const { path, tableUuid, transactionId } of await deps.catalog.paths.findStaged({
    paths,
    nowMs,
  })) {
    use.add(locationKey(path), { kind: 'transaction', name: transactionId, tableUuid })
  }
  // After what is staged: a commit makes that known.
  const wanted = wantedByTable(await deps.catalog.paths.findTables(paths))
  for (const [tableUuid, keys] of wanted) {
    if (tableUuid === exceptTableUuid) continue
    use.examinedTableUuids.add(tableUuid)
    const state = await deps.catalog.tables.find({ tableUuid })
    use.examinedVersions.set(tableUuid, state?.version)
    if (state !== undefined) await addNamed(deps, use, { state, keys })
  }
  // After those that are there: one that is dropped meanwhile is found.
  for (const [path, tableUuids] of await deps.catalog.paths.findDropped(paths)) {
    for (const tableUuid of tableUuids) {
      use.add(locationKey(path), { kind: 'dropped-table', name: tableUuid, tableUuid })
    }
  }
  await addPlaced(deps, use, { paths, exceptTableUuid })
  await addRead(deps, use, { paths, exceptTableUuid })
  return use
}

function wantedByTable(
  tables: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const wanted = new Map<string, Set<string>>()
  for (const [path, tableUuids] of tables) {
    for (const tableUuid of tableUuids) {
      const keys = wanted.get(tableUuid)
      if (keys === undefined) wanted.set(tableUuid, new Set([locationKey(path)]))
      else keys.add(locationKey(path))
    }
  }
  return wanted
}

async function addNamed(
  deps: FileUseDependencies,
  use: FileUse,
  { state, keys }: { readonly state: TableState; readonly keys: ReadonlySet<string> },
): Promise<void> {
  const { tableUuid } = state.definition
  const holder = { kind: 'table', name: formatTableName(state.namespace, state.name), tableUuid }
  await findNamed(deps, state, keys, (key, by) => {
    use.add(
      key,
      by === undefined || by.ref === 'main' ? holder : { ...holder, kind: by.type, ...by },
    )
  })
  for (const { kind, namedFor } of deps.fileNamers?.() ?? []) {
    for await (const location of namedFor(tableUuid)) {
      const key = locationKey(location)
      if (keys.has(key)) use.add(key, { ...holder, kind })
    }
  }
}

/** Files of the snapshots that are read, whether or not their tables are still there. */
async function addRead(
  deps: FileUseDependencies,
  use: FileUse,
  {
    paths,
    exceptTableUuid,
  }: { readonly paths: readonly string[]; readonly exceptTableUuid: string | undefined },
): Promise<void> {
  const walk = new ManifestWalk(deps, new Set(paths.map(locationKey)))
  for (const hold of await deps.catalog.holds.list(deps.ambient.nowMs())) {
    const { holdId, kind, name, tableUuid } = hold
    use.examinedHoldIds.add(holdId)
    const mayName = use.examinedTableUuids.has(tableUuid) || tableUuid === exceptTableUuid
    // A living table knows what it names.
    if (!mayName && (await deps.catalog.tables.find({ tableUuid })) !== undefined) continue
    for (const key of await walk.namedBy(hold, true)) {
      use.add(key, { kind, name, tableUuid })
    }
  }
}

/** Metadata of a living table is its own, and so is what is being uploaded to it. */
async function addPlaced(
  deps: FileUseDependencies,
  use: FileUse,
  {
    paths,
    exceptTableUuid,
  }: { readonly paths: readonly string[]; readonly exceptTableUuid: string | undefined },
): Promise<void> {
  const owners = await deps.catalog.locations.findOwners(paths)
  const holders = new Map<string, FileHolder | undefined>()
  for (const [path, places] of owners) {
    for (const { tableUuid, location, isDropped } of places) {
      if (isDropped || tableUuid === exceptTableUuid || !isOwn(location, path)) continue
      if (!holders.has(tableUuid)) holders.set(tableUuid, await findHolder(deps, tableUuid))
      const holder = holders.get(tableUuid)
      if (holder !== undefined) use.add(locationKey(path), holder)
    }
  }
}

async function findHolder(
  deps: Stores<'tables'>,
  tableUuid: string,
): Promise<FileHolder | undefined> {
  const state = await deps.catalog.tables.find({ tableUuid })
  if (state === undefined) return undefined
  return { kind: 'table', name: formatTableName(state.namespace, state.name), tableUuid }
}

function isOwn(location: TableLocation['location'], path: string): boolean {
  if (isBelow(`${location}/metadata`, path) || isBelow(`${location}/data/incoming`, path))
    return true
  // Its metadata may be in a folder that a client chose.
  return isBelow(location, path) && isMetadataName(path)
}
