import type { PlaceOfTable } from '../../catalog/location-store.ts'
import { CatalogError } from '../../core/errors.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { locationTaken } from '../../core/table/location-taken.ts'
import {
  foldersOf,
  METADATA_PATH_PROPERTY,
  metadataFolder,
} from '../../core/table/metadata-folder.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { dataFileLocation } from '../file/data-file-location.ts'
import { requireOwnNames } from '../file/own-names.ts'
import { findForeignMetadata } from './foreign-metadata.ts'
import { type GivenUpDependencies, hasGivenUp } from './given-up-location.ts'

/** Where tables are that say nothing about it. */
export interface Warehouse {
  /** Root below which new tables get their location; no slash at the end. */
  readonly warehouse: string
}

/** Where tables may be. */
export interface TablePlaces extends Warehouse {
  /** Folders outside of the warehouse; no slash at the end. */
  readonly writableLocations: readonly string[]
}

/** What it takes to give a table or view a place. */
export type NewPlaceDependencies = GivenUpDependencies &
  TablePlaces & { readonly objects: ObjectStore }

const SEGMENT_LENGTH_MAX = 60
/** With keys for an index of PostgreSQL, which takes 2,700 bytes. */
const LOCATION_BYTES_MAX = 1_000
const LOCATION_DEPTH_MAX = 64
const SHOWN_LENGTH_MAX = 200
const UUID_PREFIX_LENGTH = 2
const DOTS = new Set(['', '.', '..'])
/** The longest name of a folder or file, in the file systems that are used. */
const SEGMENT_BYTES_MAX = 255
const LONGEST_NAME_BELOW = 'metadata/version-hint.text'
/** Folder of default locations, directly in the warehouse. */
const UUID_PREFIX = /^[0-9a-f]{2}$/
const WRITABLE_REMEDY = '; MORAINE_WRITABLE_LOCATIONS can allow more folders'
/** Rows read at once; they are looked at until none is left. */
const OVERLAPS_AT_ONCE = 16

/**
 * Unique to the table or view, whatever it is called: `<warehouse>/6f/flights-6f9619ff-...`. The
 * name is there for people only, in what every store and tool takes, and the namespace is not: two
 * tables would lie within each other if a namespace were called like the folder of a table.
 */
export function defaultLocation(
  { warehouse }: Warehouse,
  { name }: Pick<NamespacedName, 'name'>,
  uuid: string,
): string {
  return `${warehouse}/${uuid.slice(0, UUID_PREFIX_LENGTH)}/${segmentOf(name)}-${uuid}`
}

/**
 * A location that a client gives is kept verbatim, but the service must be able to write metadata
 * there, and its own folders are no tables: their names begin with a dot. Throws
 * `location-not-allowed` or `location-invalid`.
 */
export function requireWritableLocation(deps: TablePlaces, location: string): void {
  const folders = foldersOfTables(deps)
  const folder = folders.find((each) => segmentsBelow(each, location) !== undefined)
  const segments = folder === undefined ? undefined : segmentsBelow(folder, location)
  if (segments === undefined) {
    const places = folders.length === 1 ? deps.warehouse : `one of ${folders.join(', ')}`
    throw notAllowed(location, `tables lie below ${places}${WRITABLE_REMEDY}`)
  }
  const [first = ''] = segments
  if (folder === deps.warehouse && segments.length === 1 && UUID_PREFIX.test(first)) {
    throw notAllowed(location, 'folders of two hexadecimal digits hold tables without a location')
  }
  if (first.startsWith('.')) {
    throw notAllowed(
      location,
      `${first} belongs to the service, as all names that begin with a dot`,
    )
  }
  const isLong = bytesOf(location) > LOCATION_BYTES_MAX
  const isWide = segments.some((segment) => bytesOf(segment) > SEGMENT_BYTES_MAX)
  if (!isLong && !isWide && segments.length <= LOCATION_DEPTH_MAX) return
  throw new CatalogError(
    'location-invalid',
    `Invalid location: ${shown(location)}: it may have at most ${LOCATION_BYTES_MAX} bytes and ` +
      `${LOCATION_DEPTH_MAX} folders of ${SEGMENT_BYTES_MAX} bytes below ${folder}`,
    { facts: { bytesMax: LOCATION_BYTES_MAX, depthMax: LOCATION_DEPTH_MAX } },
  )
}

/** Every folder below which tables may be: the warehouse, then those outside of it. */
export function foldersOfTables(deps: TablePlaces): readonly string[] {
  return [deps.warehouse, ...deps.writableLocations]
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}

/**
 * Requires that a table can be at this location without sharing a file with another one, as
 * `LocationStore` keeps it; the catalog looks again when it takes the location. A dropped table
 * whose files are gone gives its location up (`hasGivenUp`); `written` files are those of the table
 * that comes.
 * Throws `location-taken`, too.
 */
export async function requireFreeLocation(
  deps: NewPlaceDependencies,
  { location, tableUuid }: PlaceOfTable,
  written: readonly string[] = [],
): Promise<void> {
  requireWritableLocation(deps, location)
  deps.objects.requireReadable(`${location}/${LONGEST_NAME_BELOW}`)
  await requireNoLink(deps, location)
  const writtenKeys = new Set(written.map(locationKey))
  for (;;) {
    const found = await deps.catalog.locations.findOverlapping(location, OVERLAPS_AT_ONCE)
    const others = found.filter((other) => other.tableUuid !== tableUuid)
    if (others.length === 0) return
    for (const other of others) {
      const isGone = other.isDropped && (await hasGivenUp(deps, other, writtenKeys))
      if (!isGone) throw locationTaken(location, other)
    }
  }
}

/**
 * Requires that neither the location, nor a folder on its way, nor one of a table's own folders in
 * it is a link: two locations would be one folder, or its files where no table may be.
 */
async function requireNoLink(deps: NewPlaceDependencies, location: string): Promise<void> {
  const folder = foldersOfTables(deps).find((each) => segmentsBelow(each, location) !== undefined)
  const segments = folder === undefined ? [] : (segmentsBelow(folder, location) ?? [])
  const onTheWay = segments.map((_, i) => [folder, ...segments.slice(0, i + 1)].join('/'))
  await requireOwnNames(deps.objects, [...onTheWay, `${location}/metadata`, `${location}/data`])
}

/**
 * As `requireFreeLocation`, for a table that has nothing there yet: nor may there be metadata of a
 * table that this catalog does not know.
 */
export async function requireEmptyLocation(
  deps: NewPlaceDependencies,
  place: PlaceOfTable,
  written: readonly string[] = [],
): Promise<void> {
  await requireFreeLocation(deps, place, written)
  const { location } = place
  for await (const { location: file } of deps.objects.list(`${location}/metadata`)) {
    if (!file.endsWith('.metadata.json')) continue
    throw notAllowed(location, 'it already holds the metadata of a table; use an empty folder')
  }
}

/**
 * As `requireFreeLocation`, for the folder that a property gives for the table's metadata, unless
 * it is below the location.
 */
export async function requireFreeMetadataFolder(
  deps: NewPlaceDependencies,
  definition: TableDefinition,
  written: readonly string[] = [],
): Promise<void> {
  const { tableUuid } = definition
  const [, location] = foldersOf(definition)
  try {
    const inside = metadataFolder(definition)
    if (location === undefined) deps.objects.requireReadable(`${inside}/${LONGEST_NAME_BELOW}`)
    else await requireFreeLocation(deps, { tableUuid, location }, written)
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    const { code, message, facts, cause } = error
    throw new CatalogError(code, `${METADATA_PATH_PROPERTY}: ${message}`, { facts, cause })
  }
}

/**
 * Requires that no metadata of another table lies in the folders that the definition newly has: a
 * table that this catalog does not know would share every file name and deletion with it.
 */
export async function requireNoForeignMetadata(
  deps: { readonly objects: Pick<ObjectStore, 'list' | 'readRange'> },
  definition: TableDefinition,
  known: readonly string[] = [],
): Promise<void> {
  const { location, tableUuid } = definition
  for (const folder of new Set([`${location}/metadata`, metadataFolder(definition)])) {
    if (known.includes(folder)) continue
    if ((await findForeignMetadata(deps, folder, tableUuid)) === undefined) continue
    throw notAllowed(folder, 'it already holds the metadata of a table; use an empty folder')
  }
}

/**
 * Makes the folders that engines write to: DuckDB makes only the last one of a path. Those of a
 * staged table that never came are swept.
 */
export async function makeTableFolders(
  { objects }: { readonly objects: Pick<ObjectStore, 'makeFolder'> },
  definition: Pick<TableDefinition, 'location' | 'properties'>,
): Promise<void> {
  const { location } = definition
  const folders = [`${location}/data`, `${location}/metadata`, metadataFolder(definition)]
  await Promise.all(folders.map((folder) => objects.makeFolder(folder)))
}

/** `undefined` if the location is not below the folder. */
function segmentsBelow(folder: string, location: string): readonly string[] | undefined {
  const spelled = dataFileLocation(location)
  if (!spelled.startsWith(`${folder}/`)) return undefined
  const segments = spelled.slice(folder.length + 1).split('/')
  return segments.some((segment) => DOTS.has(segment)) ? undefined : segments
}

function notAllowed(location: string, reason: string): CatalogError {
  return new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${shown(location)}: ${reason}`,
    { facts: { location: shown(location) } },
  )
}

function shown(location: string): string {
  return location.slice(0, SHOWN_LENGTH_MAX)
}

function segmentOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, SEGMENT_LENGTH_MAX)
}
