import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectStore } from '../../objects/object-store.ts'

/** With the UUID, or without it as Moraine 0.1 wrote it: there, the content has it. */
const DROP_MARK = /\/metadata\/dropped(?:-[0-9a-f-]{36})?\.json$/
const MARK_BYTES_MAX = 1_024
const UUID_KEY = 'table-uuid'

interface Marking {
  readonly objects: ObjectStore
  readonly log: Log
}

interface Marked {
  readonly tableUuid: string
  readonly location: string
}

/** Whether it is the mark of a dropped table, in the folder of its metadata. */
export function isDropMark(file: string): boolean {
  return DROP_MARK.test(file)
}

/**
 * Marks the table as dropped among its files, so that a catalog rebuilt from files does not revive
 * it; not one that is back, since whoever registers it removes the mark at once, and perhaps first.
 * A failure is logged.
 */
export async function markDropped(
  deps: Marking,
  marked: Marked,
  isBack: () => Promise<boolean>,
): Promise<void> {
  const note = new TextEncoder().encode(JSON.stringify({ [UUID_KEY]: marked.tableUuid }))
  try {
    await deps.objects.putIfAbsent(markOf(marked), note)
    if (await isBack()) await forgetDrop(deps, marked)
  } catch (err) {
    deps.log.warn({ err, ...marked }, 'a dropped table could not be marked')
  }
}

/** Removes the marks of a table that is registered again. A failure is logged. */
export async function forgetDrop(deps: Marking, marked: Marked): Promise<void> {
  try {
    await deps.objects.delete(markOf(marked))
    const oldMark = `${marked.location}/metadata/dropped.json`
    if ((await droppedBy(deps, oldMark)) === marked.tableUuid) await deps.objects.delete(oldMark)
  } catch (err) {
    deps.log.warn({ err, ...marked }, 'the mark of a dropped table could not be removed')
  }
}

/** UUID of the table that a mark is of; `undefined` if there is no such mark or it does not say. */
export async function droppedBy(
  { objects }: { readonly objects: ObjectStore },
  mark: string,
): Promise<string | undefined> {
  try {
    const bytes = await objects.read(mark, { bytesMax: MARK_BYTES_MAX })
    const { [UUID_KEY]: tableUuid } = JSON.parse(new TextDecoder().decode(bytes))
    return typeof tableUuid === 'string' ? tableUuid : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof CatalogError) return undefined
    throw error
  }
}

/** The file that `markDropped` writes. */
export function markOf({ tableUuid, location }: Marked): string {
  return `${location}/metadata/dropped-${tableUuid}.json`
}
