import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { versionInName } from './metadata-file-name.ts'

const NAME_MARK = /\/metadata\/named-[0-9a-f-]{36}\.json$/
const MARK_BYTES_MAX = 64 * 1024

export interface NameMark extends NamespacedName {
  readonly tableUuid: string
  /** From which on the table is called so. Newer metadata files tell the name themselves. */
  readonly version: number
  /** Its newest metadata, where the name of that file does not tell its version. */
  readonly registered?: RegisteredMetadata
}

/** A metadata file of others, such as `v3.metadata.json`, as it was registered. */
export interface RegisteredMetadata {
  readonly location: string
  readonly version: number
}

interface WithLocation {
  /** The table's. */
  readonly location: string
}

/** Whether it is the mark of a renamed table, in the folder of its metadata. */
export function isNameMark(file: string): boolean {
  return NAME_MARK.test(file)
}

/**
 * Writes the name of a table or view down among its files, for a catalog that is rebuilt from them:
 * a renaming writes no metadata, and that of a registered table has no name. A failure is logged.
 */
export async function markNamed(
  { objects, log }: { readonly objects: ObjectStore; readonly log: Log },
  { tableUuid, location, version, namespace, name, registered }: NameMark & WithLocation,
): Promise<void> {
  const mark = `${location}/metadata/named-${tableUuid}.json`
  const text = JSON.stringify({ 'table-uuid': tableUuid, version, namespace, name, registered })
  try {
    await objects.delete(mark)
    await objects.putIfAbsent(mark, new TextEncoder().encode(text))
  } catch (err) {
    log.warn({ err, location, tableUuid }, 'a name could not be written down')
  }
}

/** `undefined` if there is no such mark, or it is none. */
export async function readNameMark(
  { objects }: { readonly objects: Pick<ObjectStore, 'read'> },
  mark: string,
): Promise<NameMark | undefined> {
  try {
    const bytes = await objects.read(mark, { bytesMax: MARK_BYTES_MAX })
    const {
      'table-uuid': tableUuid,
      version,
      namespace,
      name,
      registered,
    } = JSON.parse(new TextDecoder().decode(bytes))
    const isMark = Array.isArray(namespace) && typeof name === 'string' && Number.isInteger(version)
    if (!isMark || typeof tableUuid !== 'string') return undefined
    return {
      ...{ tableUuid, version, namespace, name },
      ...(isRegistered(registered) && { registered }),
    }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof CatalogError) return undefined
    throw error
  }
}

/** What a mark says of a metadata file whose name does not; `undefined` where the name does. */
export function registeredMetadata({
  metadataLocation: location,
  publishedVersion: version,
}: Pick<TableState, 'metadataLocation' | 'publishedVersion'>): Pick<NameMark, 'registered'> {
  if (location === undefined || versionInName(location) !== undefined) return {}
  return { registered: { location, version } }
}

function isRegistered(found: unknown): found is RegisteredMetadata {
  const { location, version } = (found ?? {}) as Partial<RegisteredMetadata>
  return typeof location === 'string' && Number.isInteger(version)
}
