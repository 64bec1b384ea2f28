import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import { parseExactJson, stringifyExactJson } from '../../formats/json/exact-json.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { METADATA_FILE } from './metadata-file-name.ts'
import { isNamespaceNote } from './namespace-note.ts'
import type { Warehouse } from './table-location.ts'

/** File below a warehouse that says which it is. No namespace or table can have this name. */
export const MARKER_NAME = '.moraine-warehouse.json'
const MARKER_BYTES_MAX = 64 * 1024
const SETTING = 'warehouse-id'

export type ClaimDependencies = Stores<'settings' | 'tables' | 'namespaces'> &
  Warehouse & {
    readonly objects: Pick<ObjectStore, 'putIfAbsent' | 'read' | 'list'>
    readonly ambient: Pick<Ambient, 'newUuid'>
  }

/** Which warehouse a folder is, and where it was when its first table was made. */
interface Marker {
  readonly warehouseId: string
  readonly location: string
}

export type WarehouseClaim =
  | { readonly outcome: 'ours'; readonly warehouseId: string }
  | WarehouseFault

export type WarehouseFault =
  /** The catalog has tables, and the folder is not the one that they are in. */
  | { readonly outcome: 'gone' }
  /** The folder belongs to another catalog. */
  | { readonly outcome: 'foreign' }
  /** The folder was elsewhere: what its tables name leads there. */
  | { readonly outcome: 'moved'; readonly from: string }
  /** The folder has tables, and the catalog never had any. */
  | { readonly outcome: 'catalog-empty' }

/**
 * Finds out whether catalog and warehouse belong together, by a marker file in the warehouse whose
 * id the catalog knows. Both get one when they are new, or older than markers. With `adopts`, an
 * empty catalog takes over a warehouse that has tables.
 */
export async function claimWarehouse(
  deps: ClaimDependencies,
  { adopts }: { readonly adopts: boolean },
): Promise<WarehouseClaim> {
  const { settings } = deps.catalog
  const [known, found] = await Promise.all([settings.find(SETTING), readMarker(deps)])
  if (found !== undefined && found.location !== deps.warehouse && !(await isHere(deps, found))) {
    return { outcome: 'moved', from: found.location }
  }
  if (known !== undefined && found !== undefined) {
    const isOurs = known === found.warehouseId
    return isOurs ? { outcome: 'ours', warehouseId: known } : { outcome: 'foreign' }
  }
  const isEmpty = await isCatalogEmpty(deps)
  if (known !== undefined && !isEmpty) return { outcome: 'gone' }
  if (known === undefined && isEmpty && !adopts && (await hasTables(deps))) {
    return { outcome: 'catalog-empty' }
  }
  const warehouseId = known ?? found?.warehouseId ?? deps.ambient.newUuid()
  // The marker first: an id without its marker would mean that the warehouse is gone.
  const marker = found ?? (await writeMarker(deps, warehouseId))
  const kept = await settings.keep(SETTING, marker.warehouseId)
  if (kept !== marker.warehouseId) return { outcome: 'foreign' }
  return { outcome: 'ours', warehouseId: kept }
}

/** Throws `warehouse-unavailable` unless the warehouse is there, and the one that was claimed. */
export async function requireWarehouse(
  { objects, warehouse }: Pick<ClaimDependencies, 'objects'> & Warehouse,
  warehouseId: string,
  what: 'warehouse' | 'writable location' = 'warehouse',
): Promise<void> {
  let cause: unknown
  try {
    const found = await readMarker({ objects, warehouse })
    if (found?.warehouseId === warehouseId) return
  } catch (error) {
    // What the store of a bucket says of itself is the better word.
    if (error instanceof CatalogError && error.code.startsWith('storage-')) throw error
    cause = error
  }
  throw new CatalogError(
    'warehouse-unavailable',
    `the ${what} ${warehouse} is not there: its file ${MARKER_NAME} is missing or another's; ` +
      'check that its disk is mounted and that the folder was not moved',
    { facts: { warehouse, retryAfterSeconds: 10 }, cause },
  )
}

/**
 * Finds out whether a folder outside of the warehouse, where tables may be, is this catalog's, by
 * the same marker. It gets one when it has no table of this catalog yet.
 */
export async function claimWritableLocation(
  { catalog, ...deps }: Stores<'locations'> & Pick<ClaimDependencies, 'objects'>,
  folder: string,
  warehouseId: string,
): Promise<'ours' | 'gone' | 'foreign'> {
  const place = { ...deps, warehouse: folder }
  const found = await readMarker(place)
  if (found === undefined && (await catalog.locations.findOverlapping(folder, 1)).length > 0) {
    return 'gone'
  }
  const marker = found ?? (await writeMarker(place, warehouseId))
  return marker.warehouseId === warehouseId ? 'ours' : 'foreign'
}

/** The id of the catalog's own warehouse; `undefined` before it was claimed. */
export function findWarehouseId({ catalog }: Stores<'settings'>): Promise<string | undefined> {
  return catalog.settings.find(SETTING)
}

/** The id of the warehouse in a folder; `undefined` if it has no marker. */
export async function findMarkedId(
  place: Pick<ClaimDependencies, 'objects'> & Warehouse,
): Promise<string | undefined> {
  return (await readMarker(place))?.warehouseId
}

async function readMarker({
  objects,
  warehouse,
}: Pick<ClaimDependencies, 'objects'> & Warehouse): Promise<Marker | undefined> {
  const location = `${warehouse}/${MARKER_NAME}`
  let bytes: Uint8Array
  try {
    bytes = await objects.read(location, { bytesMax: MARKER_BYTES_MAX })
  } catch (error) {
    const isMissing = error instanceof CatalogError && error.code === 'file-not-found'
    if (isMissing) return undefined
    throw error
  }
  const json = parseExactJson(new TextDecoder().decode(bytes)) as Record<string, unknown>
  const { 'warehouse-id': warehouseId, location: at } = json
  if (typeof warehouseId === 'string' && typeof at === 'string')
    return { warehouseId, location: at }
  throw new CatalogError('metadata-corrupt', `${location} is not a marker of a warehouse`)
}

async function writeMarker(
  deps: Pick<ClaimDependencies, 'objects' | 'warehouse'>,
  warehouseId: string,
): Promise<Marker> {
  const { objects, warehouse } = deps
  const json = stringifyExactJson({ 'warehouse-id': warehouseId, location: warehouse })
  await objects.putIfAbsent(`${warehouse}/${MARKER_NAME}`, new TextEncoder().encode(`${json}\n`))
  // That of another process that started at the same time, if it was first.
  return (await readMarker(deps)) ?? { warehouseId, location: warehouse }
}

/** Whether the marker is also found where it says that it is: two names of one folder. */
async function isHere(
  { objects }: Pick<ClaimDependencies, 'objects'>,
  marker: Marker,
): Promise<boolean> {
  const there = await readMarker({ objects, warehouse: marker.location }).catch(() => undefined)
  return there?.warehouseId === marker.warehouseId
}

async function isCatalogEmpty({ catalog }: Stores<'tables' | 'namespaces'>): Promise<boolean> {
  const [tables, namespaces] = await Promise.all([
    catalog.tables.list({ limit: 1, withDatasets: true }),
    catalog.namespaces.listChildren({ parent: [], limit: 1 }),
  ])
  return tables.length === 0 && namespaces.length === 0
}

async function hasTables({
  objects,
  warehouse,
}: Pick<ClaimDependencies, 'objects'> & Warehouse): Promise<boolean> {
  for await (const { location } of objects.list(warehouse)) {
    if (METADATA_FILE.test(location) || isNamespaceNote({ warehouse }, location)) return true
  }
  return false
}
