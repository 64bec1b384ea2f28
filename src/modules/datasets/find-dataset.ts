import type { Stores } from '../../catalog/catalog.ts'
import { type DatasetRecord, originsOf } from '../../catalog/dataset-store.ts'
import type { Privilege } from '../../core/access/privilege.ts'
import type { Ambient } from '../../core/ambient.ts'
import { CodedError } from '../../core/errors.ts'
import type { Target } from '../../http/authorizer.ts'
import type { Call } from '../../http/route.ts'
import { tableNotFound } from '../../lake/table/table-lookup.ts'
import { ProblemError } from '../../problem/problems.ts'
import { datasetToJson, pathOf, stateOf } from './dataset-response.ts'

const VERSION = /^[1-9]\d{0,8}$/

export type FindDependencies = Stores<'datasets'> & { readonly ambient: Pick<Ambient, 'nowMs'> }

/** What an address names. */
export interface NamedDataset {
  readonly dataset: string
  /** As in the address; `undefined`: the newest. */
  readonly version?: string | undefined
  /** Whether the one that was published last will not do for a newest that is not to be had. */
  readonly isExact?: boolean
}

/** Who asks, and for what privilege: `select` by default. */
type Asking = Pick<Call<unknown, unknown>, 'authorize'> & { readonly privilege?: Privilege }

/**
 * The dataset, living or not, as `requireVisible` has it; of a name alone, the newest, or the one
 * that was published last where one may not read that. Throws `dataset-not-found`.
 */
export async function findDataset(
  deps: FindDependencies,
  named: NamedDataset,
  asking: Asking,
): Promise<DatasetRecord> {
  const { dataset: name, version } = named
  const found = await lookUp(deps, named)
  if (found === undefined) throw notFound(name, version)
  const hidden = await whyHidden(found, named, asking)
  if (hidden === undefined) return found
  const isPublished = found.publishedAtMs !== undefined
  const published = isPublished ? undefined : await publishedInstead(deps, named, asking)
  if (published === undefined) throw hidden
  return published
}

/** What is cited stays where it was, whatever its owner makes of the name next. */
async function publishedInstead(
  { catalog, ambient }: FindDependencies,
  { dataset: name, version, isExact = false }: NamedDataset,
  asking: Asking,
): Promise<DatasetRecord | undefined> {
  const { privilege = 'select' } = asking
  if (version !== undefined || isExact || privilege !== 'select') return undefined
  const found = await catalog.datasets.find({ name, isPublished: true })
  if (found === undefined || stateOf(found, ambient.nowMs()) !== 'ready') return undefined
  return (await isVisible(found, { dataset: name }, asking)) ? found : undefined
}

/**
 * Throws unless one has the privilege on the rows of the dataset: on its source, or on itself once
 * it is published. What has ended is shown to those who read what it was made of. Throws
 * `dataset-not-found` for who may not see its table.
 */
async function requireVisible(
  dataset: DatasetRecord,
  { dataset: name, version }: NamedDataset,
  { authorize, privilege = 'select' }: Asking,
): Promise<void> {
  const tables = dataset.endedAtMs === undefined ? readBy(dataset) : madeOf(dataset)
  try {
    await sourceNamed(dataset, authorize(privilege, tables))
  } catch (error) {
    // Whoever may not see its table is not told that there is such a dataset, either.
    if (error instanceof CodedError && error.code === 'table-not-found') {
      throw notFound(name, version)
    }
    throw error
  }
}

/**
 * Throws refusals with the name of the source in place of its UUID: whoever is refused, and not
 * told that nothing is there, may see it.
 */
export async function sourceNamed(
  { sourceUuid, sourceName }: DatasetRecord,
  asking: Promise<void>,
): Promise<void> {
  try {
    await asking
  } catch (error) {
    const isOfSource = error instanceof ProblemError && error.facts['table'] === sourceUuid
    if (!isOfSource || !HIDING.includes(error.code)) throw error
    const facts = { ...error.facts, table: sourceName }
    throw new ProblemError(error.code, error.message.replaceAll(sourceUuid, sourceName), { facts })
  }
}

/** As `requireVisible`, where a refusal is an answer. */
export async function isVisible(...asked: Parameters<typeof requireVisible>): Promise<boolean> {
  return (await whyHidden(...asked)) === undefined
}

/** The refusal of `requireVisible`; `undefined`: there is none. */
export async function whyHidden(
  ...asked: Parameters<typeof requireVisible>
): Promise<CodedError<string> | undefined> {
  try {
    await requireVisible(...asked)
    return undefined
  } catch (error) {
    if (isHiding(error)) return error
    throw error
  }
}

/** Whether somebody may not read a dataset, and nothing is wrong. */
export function isHiding(error: unknown): error is CodedError<string> {
  return error instanceof CodedError && HIDING.includes(error.code)
}

const HIDING: readonly string[] = [
  ...['dataset-not-found', 'permission-denied', 'table-restricted'],
  'credential-missing',
]

/** The tables on which one needs a privilege: itself once it is published, else its sources. */
export function readBy(dataset: DatasetRecord): readonly Target[] {
  const { tableUuid, securable } = dataset
  return onTables(securable === tableUuid ? [securable] : originsOf(dataset))
}

/** The tables that it comes from, published or not. */
export function madeOf(dataset: DatasetRecord): readonly Target[] {
  return onTables(originsOf(dataset))
}

function onTables(uuids: readonly string[]): readonly Target[] {
  return uuids.map((name) => ({ on: 'table', name }))
}

/**
 * As `findDataset`, also where the newest is not ready; throws `dataset-gone` and
 * `dataset-not-ready`, too.
 */
export async function getReadyDataset(
  deps: FindDependencies,
  named: NamedDataset,
  asking: Asking,
): Promise<DatasetRecord> {
  const found = await findDataset(deps, named, asking)
  requireNotGone(found, deps.ambient.nowMs())
  const state = stateOf(found, deps.ambient.nowMs())
  if (state === 'ready') return found
  const published = await publishedInstead(deps, named, asking)
  if (published !== undefined) return published
  const detail =
    state === 'failed'
      ? `Making ${pathOf(found)} failed: ${found.problem?.detail ?? ''}`
      : `${pathOf(found)} is being made: its status tells how far it is`
  throw new ProblemError('dataset-not-ready', detail, {
    facts: { state, statusUrl: `${pathOf(found)}/status` },
  })
}

/** Throws `dataset-gone`, with the card that is left. */
export function requireNotGone(dataset: DatasetRecord, nowMs: number): void {
  if (stateOf(dataset, nowMs) !== 'expired') return
  const path = pathOf(dataset)
  throw new ProblemError('dataset-gone', `${path} has expired or was deleted: ask for it again`, {
    facts: { card: datasetToJson(dataset, nowMs) },
  })
}

async function lookUp(
  { catalog, ambient }: FindDependencies,
  { dataset: name, version }: NamedDataset,
): Promise<DatasetRecord | undefined> {
  if (version === undefined) return catalog.datasets.find({ name, nowMs: ambient.nowMs() })
  if (!VERSION.test(version)) return undefined
  return catalog.datasets.find({ name, version: Number(version) })
}

export function notFound(dataset: string, version: string | undefined): ProblemError {
  const shown = dataset.slice(0, 200)
  const what = version === undefined ? shown : `${shown}, version ${version.slice(0, 20)}`
  return new ProblemError('dataset-not-found', `There is no dataset ${what}`, {
    facts: { dataset: shown },
  })
}

/** The one snapshot of its hidden table: a clone has that of the source. */
export async function ownSnapshotOf(
  { catalog }: Stores<'tables'>,
  { tableUuid, query, snapshotId }: DatasetRecord,
): Promise<bigint> {
  if (query === undefined) return snapshotId
  const state = await catalog.tables.find({ tableUuid })
  if (state?.currentSnapshot === undefined) throw tableNotFound({ tableUuid })
  return state.currentSnapshot.snapshotId
}
