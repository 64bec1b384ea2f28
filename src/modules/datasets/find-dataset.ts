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

/** Versions before the newest, among which is one that can be read. */
const VERSIONS_MAX = 100
const VERSION = /^[1-9]\d{0,8}$/

export type FindDependencies = Stores<'datasets'> & { readonly ambient: Pick<Ambient, 'nowMs'> }

/** What an address names. */
export interface NamedDataset {
  readonly dataset: string
  /** As in the address; `undefined`: the newest. */
  readonly version?: string | undefined
}

/** Who asks, and for what privilege: `select` by default. */
type Asking = Pick<Call<unknown, unknown>, 'authorize'> & { readonly privilege?: Privilege }

/**
 * The dataset, living or not, as `requireVisible` has it; of a name alone, the newest that one may
 * read. Throws `dataset-not-found`.
 */
export async function findDataset(
  deps: FindDependencies,
  { dataset: name, version }: NamedDataset,
  asking: Asking,
): Promise<DatasetRecord> {
  const found = await lookUp(deps, { dataset: name, version })
  if (found === undefined) throw notFound(name, version)
  const hidden = await whyHidden(found, { dataset: name, version }, asking)
  if (hidden === undefined) return found
  const isReading = version === undefined && (asking.privilege ?? 'select') === 'select'
  const other = isReading ? await newestThat(deps, { name, isIt: isLiving }, asking) : undefined
  if (other === undefined) throw hidden
  return other
}

/** What an address without a version leads to where the newest version is not to be had yet. */
async function newestThat(
  { catalog, ambient }: FindDependencies,
  { name, isIt }: { readonly name: string; isIt(state: ReturnType<typeof stateOf>): boolean },
  asking: Asking,
): Promise<DatasetRecord | undefined> {
  for (const dataset of await catalog.datasets.listVersions(name, VERSIONS_MAX)) {
    const isWanted = isIt(stateOf(dataset, ambient.nowMs()))
    if (isWanted && (await isVisible(dataset, { dataset: name }, asking))) return dataset
  }
  return undefined
}

const isLiving = (state: ReturnType<typeof stateOf>) => state !== 'expired'
const isReady = (state: ReturnType<typeof stateOf>) => state === 'ready'

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
 * As `findDataset`, and of a name alone the newest that is ready; throws `dataset-gone` and
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
  const { dataset: name, version } = named
  const other = version ?? (await newestThat(deps, { name, isIt: isReady }, asking))
  if (typeof other === 'object') return other
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
