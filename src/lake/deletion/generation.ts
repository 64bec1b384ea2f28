import type { Stores } from '../../catalog/catalog.ts'
import { GENERATION_SETTING } from '../../catalog/deletion-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { Warehouse } from '../table/table-location.ts'

/** Folder of a warehouse; no namespace or table can have this name. */
const FOLDER = '.moraine-generation'
const MARK = /\/([1-9][0-9]{0,14})\.json$/
const ATTEMPTS_MAX = 10
const TOLD =
  'the catalog is older than its warehouse, as after a restore: what it was about to delete ' +
  'stays for another MORAINE_DELETE_GRACE; register tables that it does not know before that ends'

const UNMARKED =
  'the generation of the catalog cannot be written into the warehouse: until it is, a catalog ' +
  'that is put back may not be recognised as an older one'
const UNWRITABLE: ReadonlySet<string> = new Set(['storage-full', 'location-not-allowed'])

export type MarkedWarehouse = Warehouse & {
  readonly objects: Pick<ObjectStore, 'delete' | 'list' | 'putIfAbsent'>
}

export type GenerationDependencies = Stores<'deletions' | 'settings'> &
  MarkedWarehouse & {
    readonly ambient: Pick<Ambient, 'nowMs'>
    readonly log: Log
    /** How long files stay after nothing names them any more. */
    readonly deleteGraceMs: number
  }

/**
 * Counts up a number that the catalog and its warehouse have, the catalog first: a catalog that has
 * the smaller one was put back, by a restore or by the snapshot of a disk. What it was about to
 * delete may have been named since by tables that it does not know, so all of that waits for a full
 * grace. Called before anything is deleted. Returns the new number.
 */
export async function beginGeneration(deps: GenerationDependencies): Promise<number> {
  const { deletions, settings } = deps.catalog
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    // Before the catalog's: what is found here the catalog had by then, unless it is an older one.
    const marked = newest(await listMarks(deps))
    const from = Number((await settings.find(GENERATION_SETTING)) ?? 0)
    const isOlder = marked > from
    const to = Math.max(marked, from) + 1
    const waitUntilMs = isOlder ? deps.ambient.nowMs() + deps.deleteGraceMs : undefined
    if (await deletions.beginGeneration({ from, to, waitUntilMs })) {
      if (isOlder) deps.log.warn({ catalog: from, warehouse: marked }, TOLD)
      await note(deps, to)
      return to
    }
    // Of many at once one counts for all.
    const since = Number((await settings.find(GENERATION_SETTING)) ?? 0)
    if (!isOlder && since > from) return since
  }
  throw new CatalogError('overloaded', 'other processes begin to delete files all the time')
}

/** Deleting goes on without: it is what makes room on a disk that is full. */
async function note(deps: GenerationDependencies, generation: number): Promise<void> {
  try {
    await mark(deps, generation)
    for (const earlier of await listMarks(deps)) {
      if (earlier.generation < generation) await deps.objects.delete(earlier.location)
    }
  } catch (error) {
    if (!(error instanceof CatalogError) || !UNWRITABLE.has(error.code)) throw error
    deps.log.warn({ err: error }, UNMARKED)
  }
}

/** Makes each catalog of this generation, or of an earlier one, an older one of the warehouse. */
export async function markNewer(place: MarkedWarehouse, generation: number): Promise<void> {
  await mark(place, Math.max(newest(await listMarks(place)), generation) + 1)
}

async function mark({ objects, warehouse }: MarkedWarehouse, generation: number): Promise<void> {
  const json = new TextEncoder().encode(`{"generation":${generation}}\n`)
  await objects.putIfAbsent(`${warehouse}/${FOLDER}/${generation}.json`, json)
}

interface Mark {
  readonly location: string
  readonly generation: number
}

async function listMarks({ objects, warehouse }: MarkedWarehouse): Promise<readonly Mark[]> {
  const marks: Mark[] = []
  for await (const { location } of objects.list(`${warehouse}/${FOLDER}`)) {
    const number = MARK.exec(location)?.[1]
    if (number !== undefined) marks.push({ location, generation: Number(number) })
  }
  return marks
}

function newest(marks: readonly Mark[]): number {
  return Math.max(0, ...marks.map(({ generation }) => generation))
}
