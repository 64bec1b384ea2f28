import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { BoundQuery } from '../../core/query/bound-query.ts'
import type { InlineMax } from '../../core/query/inline-max.ts'
import type { Restriction } from '../../core/table/restriction.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import type { Schema } from '../../core/value/type.ts'
import { type AuthorizeFound, type PolicyOn, restrictionFor } from '../../http/permission.ts'
import { allowedTo } from '../../lake/convert/allowed-to.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import type { AllowedFiles } from '../../lake/file/allowed-files.ts'
import { columnsDigest } from '../../lake/file/columns-digest.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { FILES_PER_TURN, toCommitOrder } from '../../lake/scan/commit-order.ts'
import { type PlannedFile, planScan, type ScanPlan } from '../../lake/scan/plan-files.ts'
import { getSnapshot, getTable, schemaOfReading } from '../../lake/table/table-lookup.ts'
import { ProblemError } from '../../problem/problems.ts'

/** Everything that reading rows uses. */
export type RowsDependencies = Stores<'tables' | 'snapshots'> &
  Pick<LakeServices, 'ambient' | 'holds' | 'manifests' | 'objects'> & {
    readonly converter: Converter
    /** What comes in responses, unless a table says less. */
    readonly inlineMax: InlineMax
  }

/** The snapshot of a table that a query reads, and how. */
export interface QuerySource {
  readonly state: TableState
  /** `undefined` if the table has none yet. */
  readonly snapshot: Snapshot | undefined
  readonly schema: Schema
  /** What of the rows the caller gets to see. */
  readonly restriction: Restriction
}

export interface PlannedSource {
  readonly source: Pick<QuerySource, 'restriction'>
  readonly plan: ScanPlan
}

/** What of a table the caller may see, as in `Call`. */
export interface TableReader {
  readonly authorizeFound: AuthorizeFound
  readonly policyOn: PolicyOn
}

/** Schemas of older moments may have columns that no policy of today covers. */
const COVERED = 'ask for the table as it is now'

/** The table of that name as it is now, if the caller may read it now. */
export async function findReadable(
  { catalog }: Stores<'tables'>,
  asked: string,
  authorizeFound: AuthorizeFound,
): Promise<TableState> {
  const state = await getTable(catalog, asked)
  const { tableUuid } = state.definition
  await authorizeFound('select', { asked, tableUuid }, 'filtered')
  return state
}

export async function findSource(
  deps: RowsDependencies,
  table: string,
  { selector, authorizeFound, policyOn }: TableReader & { readonly selector: SnapshotSelector },
): Promise<QuerySource> {
  const state = await findReadable(deps, table, authorizeFound)
  const policyOfAsked: PolicyOn = (tableUuid) => policyOn(tableUuid, table)
  return await sourceAt(deps, state, { selector, policyOn: policyOfAsked })
}

/** Throws `table-restricted` where a policy cannot say what may be shown. */
export async function sourceAt(
  deps: RowsDependencies,
  state: TableState,
  { selector, policyOn }: { readonly selector: SnapshotSelector; readonly policyOn: PolicyOn },
): Promise<QuerySource> {
  const snapshot = await getSnapshot(deps, state, selector)
  const schema = schemaOfReading(state, selector, snapshot)
  return { state, snapshot, schema, restriction: restrictionOn(state, schema, policyOn) }
}

export function restrictionOn(state: TableState, schema: Schema, policyOn: PolicyOn): Restriction {
  return restrictionFor(state, { schema, policyOn, covered: COVERED })
}

/** Part of the key of what is made for a caller: equal for those who see the same. */
export function restrictionText({ restriction }: Pick<QuerySource, 'restriction'>): string {
  return restriction === 'unrestricted' ? '' : restriction.text
}

/**
 * The data files that may have matching rows, as manifests tell. The filter of a caller who is
 * restricted leaves none out: it is for the values that are shown, and which files are read would
 * tell of those that are not. Stops when the signal ends.
 */
export async function planSource(
  deps: Pick<RowsDependencies, 'manifests'>,
  { state, snapshot, schema, restriction }: QuerySource,
  { filter, signal }: { readonly filter?: string | undefined; readonly signal: AbortSignal },
): Promise<ScanPlan> {
  const pruning = restriction === 'unrestricted' ? filter : undefined
  return await planScan(deps, state, { snapshot, schema, filter: pruning, signal })
}

/** All of them, in the order of the table. `location-not-allowed` before any is read. */
export async function filesOfPlan(
  { objects }: Pick<RowsDependencies, 'objects'>,
  { source, plan }: PlannedSource,
  signal: AbortSignal,
): Promise<readonly PlannedFile[]> {
  const allowed = allowedTo(source.restriction, objects)
  return await toCommitOrder(eachAllowed(allowed, plan.plannedFiles([])), signal)
}

type Allowed = Pick<AllowedFiles, 'require'>

function* eachAllowed(allowed: Allowed, files: Iterable<PlannedFile>): Iterable<PlannedFile> {
  for (const file of files) {
    requireAllowed(allowed, file)
    yield file
  }
}

/** Throws `location-not-allowed` for a plan none of whose files is read. */
export async function requireAllAllowed(
  { objects }: Pick<RowsDependencies, 'objects'>,
  { source, plan }: PlannedSource,
  signal: AbortSignal,
): Promise<void> {
  const allowed = allowedTo(source.restriction, objects)
  const turns = new Turns(signal)
  let looks = 0
  for (const file of plan.plannedFiles([])) {
    if (looks++ % FILES_PER_TURN === 0) await turns.take()
    requireAllowed(allowed, file)
  }
}

/** Throws `location-not-allowed`. */
export function requireAllowed(allowed: Allowed, file: PlannedFile): void {
  allowed.require(file.dataFile.path)
  for (const { path } of file.deleteFiles) allowed.require(path)
}

/** Both at once. */
export async function planSources(
  deps: Pick<RowsDependencies, 'manifests' | 'objects'>,
  source: QuerySource,
  reading: { readonly filter?: string | undefined; readonly signal: AbortSignal },
): Promise<readonly PlannedFile[]> {
  const plan = await planSource(deps, source, reading)
  return await filesOfPlan(deps, { source, plan }, reading.signal)
}

/** The snapshot, by its id as text. */
export function snapshotIdOf({ snapshot }: Pick<QuerySource, 'snapshot'>): string | null {
  return snapshot === undefined ? null : String(snapshot.snapshotId)
}

/**
 * Everything that decides which rows there are, for whoever keeps what was found: a snapshot's id
 * that was removed is given again, and a name mapping changes how its files are read.
 */
export function readingOf({ state, snapshot, schema }: Omit<QuerySource, 'restriction'>) {
  const { definition } = state
  return [
    definition.tableUuid,
    snapshotIdOf({ snapshot }),
    snapshot?.manifestList ?? null,
    schema.schemaId,
    columnsDigest(definition, schema),
  ] as const
}

/** Whether the order of the result depends on all rows. */
export function readsAll({ groupBy, orderBy }: BoundQuery): boolean {
  return groupBy !== undefined || orderBy.length > 0
}

/** Reads rows of the snapshots, whose files stay until it ends. Throws as `asCostly`. */
export function readHeld<T>(
  { holds }: Pick<RowsDependencies, 'holds'>,
  reads: readonly QuerySource[],
  work: (held: HeldFiles) => Promise<T>,
): Promise<T> {
  return holds.during({ kind: 'query' }, reads, (held) => asCostly(() => work(held)))
}

/** A query that was ended because of what it takes is the client's to mend. */
export async function asCostly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CatalogError) || error.code !== 'engine-failed') throw error
    const { timeoutMs, isOutOfMemory } = error.facts
    if (typeof timeoutMs === 'number') {
      const detail = `the query takes longer than ${timeoutMs / 1000} s, and was ended`
      throw new ProblemError('query-too-costly', detail, { facts: { timeoutMs }, cause: error })
    }
    if (isOutOfMemory !== true) throw error
    const detail = 'the query takes more memory than a query may, and was ended'
    throw new ProblemError('query-too-costly', detail, { cause: error })
  }
}
