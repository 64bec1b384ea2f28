import { METADATA_FILE_BYTES_MAX } from '../../core/limits.ts'
import { parseExactJson } from '../../formats/json/exact-json.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { droppedBy, isDropMark } from '../../lake/table/drop-mark.ts'
import { METADATA_FILE, SNAPSHOT_FILE } from '../../lake/table/metadata-file-name.ts'
import { uuidIn } from '../../lake/table/metadata-uuid.ts'
import { isNameMark, type NameMark, readNameMark } from '../../lake/table/name-mark.ts'
import { foldersOfTables } from '../../lake/table/table-location.ts'

/** Below it is the metadata of a table that does not say otherwise. */
const USUAL_FOLDER = /\/metadata$/
const MARKED_FOLDER = /^(.+)\/[^/]+$/

/** What the warehouse has of one table, or view. */
export interface TableFiles {
  readonly location: string
  /** `undefined` if its metadata does not say. */
  readonly tableUuid: string | undefined
  /** The newest; `undefined` if there are snapshots only. */
  readonly metadata: MetadataFile | undefined
  /** Those at the location, of which some may be of another table. */
  readonly snapshots: readonly SnapshotFile[]
  readonly isDropped: boolean
  /** What the table was called by a renaming; its metadata may be newer. */
  readonly named?: NameMark
  /** Folders where the table was before it was moved, newest first. */
  readonly earlierLocations: readonly string[]
}

export interface MetadataFile {
  readonly location: string
  readonly version: number
}

export interface SnapshotFile {
  readonly location: string
  readonly snapshotId: bigint
  readonly attempt: number
}

interface Folder {
  readonly metadata: MetadataFile[]
  readonly snapshots: SnapshotFile[]
  readonly marks: string[]
  readonly nameMarks: string[]
}

/** Tables and views that have files in the warehouse. */
export async function findTables(
  deps: Pick<LakeServices, 'objects' | 'warehouse' | 'writableLocations'>,
): Promise<readonly TableFiles[]> {
  const tables: TableFiles[] = []
  const byUuid = new Map<string, TableFiles[]>()
  for (const [path, folder] of await findFolders(deps)) {
    const location = path.replace(USUAL_FOLDER, '')
    for (const table of await tablesIn(deps, location, folder)) {
      const { tableUuid } = table
      if (tableUuid === undefined) tables.push(table)
      else byUuid.set(tableUuid, [...(byUuid.get(tableUuid) ?? []), table])
    }
  }
  return [...tables, ...[...byUuid.values()].map(newestOf)]
}

async function findFolders(
  deps: Pick<LakeServices, 'objects' | 'warehouse' | 'writableLocations'>,
): Promise<ReadonlyMap<string, Folder>> {
  const folders = new Map<string, Folder>()
  const at = (location: string): Folder => {
    const folder = folders.get(location) ?? {
      ...{ metadata: [], snapshots: [] },
      ...{ marks: [], nameMarks: [] },
    }
    folders.set(location, folder)
    return folder
  }
  for (const root of foldersOfTables(deps)) await addFolders(deps, root, at)
  return folders
}

async function addFolders(
  { objects }: Pick<LakeServices, 'objects'>,
  root: string,
  at: (location: string) => Folder,
): Promise<void> {
  for await (const { location } of objects.list(root)) {
    const [, table, version] = METADATA_FILE.exec(location) ?? []
    if (table !== undefined) at(table).metadata.push({ location, version: Number(version) })
    const [, ofTable, id, attempt] = SNAPSHOT_FILE.exec(location) ?? []
    if (ofTable !== undefined && id !== undefined) {
      const snapshotId = BigInt(id)
      at(ofTable).snapshots.push({ location, snapshotId, attempt: Number(attempt ?? 0) })
    }
    const kind = kindOfMark(location)
    const [, marked] = kind === undefined ? [] : (MARKED_FOLDER.exec(location) ?? [])
    if (kind !== undefined && marked !== undefined) at(marked)[kind].push(location)
  }
}

function kindOfMark(location: string): 'marks' | 'nameMarks' | undefined {
  if (isDropMark(location)) return 'marks'
  return isNameMark(location) ? 'nameMarks' : undefined
}

/**
 * The folder's tables: one, but for catalogs of Moraine 0.1, which let several share a location.
 * Those whose newest file was never theirs alone are told apart by the beginning of every file.
 */
async function tablesIn(
  deps: Pick<LakeServices, 'objects'>,
  location: string,
  { metadata, snapshots, marks, nameMarks }: Folder,
): Promise<readonly TableFiles[]> {
  const dropped = new Set<string | undefined>()
  for (const mark of marks) dropped.add(await droppedBy(deps, mark))
  const named = new Map<string | undefined, NameMark>()
  for (const file of nameMarks) {
    const mark = await readNameMark(deps, file)
    if (mark !== undefined) named.set(mark.tableUuid, mark)
  }
  const newestByUuid = await newestFiles(deps, location, metadata)
  addRegistered(newestByUuid, named)
  // Its metadata may be gone, but its other files are not.
  for (const tableUuid of dropped) {
    if (!newestByUuid.has(tableUuid)) newestByUuid.set(tableUuid, undefined)
  }
  if (newestByUuid.size === 0) newestByUuid.set(undefined, undefined)
  return [...newestByUuid].map(([tableUuid, file]) => ({
    location,
    tableUuid,
    metadata: file,
    snapshots,
    isDropped: dropped.has(tableUuid),
    ...present(named.get(tableUuid)),
    earlierLocations: [],
  }))
}

type NewestFiles = Map<string | undefined, MetadataFile | undefined>

async function newestFiles(
  deps: Pick<LakeServices, 'objects'>,
  location: string,
  metadata: readonly MetadataFile[],
): Promise<NewestFiles> {
  const newestByUuid: NewestFiles = new Map()
  for (const file of metadata.toSorted((a, b) => b.version - a.version)) {
    const tableUuid = await uuidIn(deps, file.location)
    if (!newestByUuid.has(tableUuid)) newestByUuid.set(tableUuid, file)
    // A default location has the table's own UUID in its name.
    if (tableUuid !== undefined && location.endsWith(`-${tableUuid}`)) break
  }
  return newestByUuid
}

/** Adds what was registered under names that tell no version, unless something newer is there. */
function addRegistered(
  newestByUuid: NewestFiles,
  named: ReadonlyMap<string | undefined, NameMark>,
): void {
  for (const [tableUuid, { registered }] of named) {
    const newest = newestByUuid.get(tableUuid)?.version ?? -1
    if (registered !== undefined && newest < registered.version) {
      newestByUuid.set(tableUuid, registered)
    }
  }
}

function present(named: NameMark | undefined): Pick<TableFiles, 'named'> {
  return named === undefined ? {} : { named }
}

/** A table that was moved has metadata at all of its locations, with rising versions. */
function newestOf(found: readonly TableFiles[]): TableFiles {
  const versionOf = ({ metadata }: TableFiles) => metadata?.version ?? -1
  const [newest, ...earlier] = found.toSorted((a, b) => versionOf(b) - versionOf(a))
  if (newest === undefined) throw new Error('a table without files')
  const named = found.flatMap((each) => each.named ?? [])
  return {
    ...newest,
    ...present(named.toSorted((a, b) => b.version - a.version)[0]),
    // Marks are at the location, also where a client chose another folder for metadata.
    isDropped: found.some(({ isDropped }) => isDropped),
    snapshots: found.flatMap(({ snapshots }) => snapshots),
    earlierLocations: earlier.map(({ location }) => location),
  }
}

/** Throws a `SyntaxError` if the file is no JSON. */
export async function readJson(
  { objects }: Pick<LakeServices, 'objects'>,
  location: string,
): Promise<unknown> {
  const bytes = await objects.read(location, { bytesMax: METADATA_FILE_BYTES_MAX })
  return parseExactJson(new TextDecoder().decode(bytes))
}
