import { CatalogError } from '../../core/errors.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { dataFileLocation } from '../file/data-file-location.ts'

/** Where tables are. */
export interface Warehouse {
  /** Root below which new tables get their location; no slash at the end. */
  readonly warehouse: string
}

const SEGMENT_LENGTH_MAX = 60
/** Below the warehouse: what is there may be swept. */
const DUMPS_FOLDER = 'dumps'

/** Unique to the table; its name is there for people only, in what every store and tool takes. */
export function defaultLocation(
  { warehouse }: Warehouse,
  { namespace, name }: NamespacedName,
  tableUuid: string,
): string {
  const folders = namespace.map(segmentOf)
  if (folders[0]?.toLowerCase() === DUMPS_FOLDER) folders[0] = `${DUMPS_FOLDER}_`
  return [warehouse, ...folders, `${segmentOf(name)}-${tableUuid}`].join('/')
}

/**
 * A location that a client gives is kept verbatim, but the service must be able to write
 * metadata there. Throws `location-not-allowed` or `location-invalid`.
 */
export function requireWritableLocation({ warehouse }: Warehouse, location: string): void {
  const spelled = dataFileLocation(location)
  const isBelow = spelled.startsWith(`${warehouse}/`) && !spelled.split('/').includes('..')
  const rest = spelled.slice(warehouse.length + 1)
  if (isBelow && rest !== DUMPS_FOLDER && !rest.startsWith(`${DUMPS_FOLDER}/`)) return
  throw new CatalogError(
    'location-not-allowed',
    `Location not allowed: ${location.slice(0, 200)}: tables lie below ${warehouse}`,
    { facts: { location: location.slice(0, 200), warehouse } },
  )
}

function segmentOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, SEGMENT_LENGTH_MAX)
}
