import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

const NAME_MARK = /\/metadata\/named-[0-9a-f-]{36}\.json$/
const MARK_BYTES_MAX = 64 * 1024

export interface NameMark extends NamespacedName {
  readonly tableUuid: string
  /** From which on the table is called so. Newer metadata files tell the name themselves. */
  readonly version: number
}

/** Whether it is the mark of a renamed table, in the folder of its metadata. */
export function isNameMark(file: string): boolean {
  return NAME_MARK.test(file)
}

/**
 * Writes the new name of a table or view down among its files, for a catalog that is rebuilt from
 * them: a renaming writes no metadata. A failure is logged.
 */
export async function markRenamed(
  { objects, log }: { readonly objects: ObjectStore; readonly log: Log },
  { tableUuid, location, version, namespace, name }: NameMark & { readonly location: string },
): Promise<void> {
  const mark = `${location}/metadata/named-${tableUuid}.json`
  const text = JSON.stringify({ 'table-uuid': tableUuid, version, namespace, name })
  try {
    await objects.delete(mark)
    await objects.putIfAbsent(mark, new TextEncoder().encode(text))
  } catch (err) {
    log.warn({ err, location, tableUuid }, 'a new name could not be written down')
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
    } = JSON.parse(new TextDecoder().decode(bytes))
    const isMark = Array.isArray(namespace) && typeof name === 'string' && Number.isInteger(version)
    return isMark && typeof tableUuid === 'string'
      ? { tableUuid, version, namespace, name }
      : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof CatalogError) return undefined
    throw error
  }
}
