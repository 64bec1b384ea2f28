import type { DataFile } from '../../core/file/data-file.ts'
import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { otherRows } from '../../core/filter/parse/other-rows.ts'
import { fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery } from '../../core/query/bound-query.ts'
import { childFields } from '../../core/schema/schema-lookup.ts'
import { Turns } from '../../core/turns.ts'
import type { Field } from '../../core/value/type.ts'
import { allowedTo } from '../../lake/convert/allowed-to.ts'
import { FILES_PER_TURN } from '../../lake/scan/commit-order.ts'
import { narrowedTotals, type PlannedFile, type ScanPlan } from '../../lake/scan/plan-files.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  type PlannedSource,
  type QuerySource,
  type RowsDependencies,
  requireAllowed,
} from './query-source.ts'

/** What a query will read and return, as far as manifests tell. */
export interface QueryEstimate {
  /** Rows of the result; `null` if only running it tells how many there may be. */
  readonly rows: { readonly min: number; readonly max: number | null }
  /** Compressed bytes of the columns that are read, of the files that are. */
  readonly bytes: number
  readonly files: number
  readonly filesSkipped: number
  /** Bytes that the query counts for: a file counts for a megabyte at least. */
  readonly cost: number
}

const FILE_COST_BYTES = 1024 * 1024

/** Reads no data. `location-not-allowed` where a file is not to be read. */
export async function estimateQuery(
  deps: Pick<RowsDependencies, 'objects'>,
  source: QuerySource,
  asked: {
    readonly plan: ScanPlan
    readonly query: BoundQuery
    readonly filter: string | undefined
    readonly signal: AbortSignal
  },
): Promise<QueryEstimate> {
  const { plan, query, filter, signal } = asked
  // What is in which column, and how many rows match, is told to nobody who does not see it.
  if (source.restriction !== 'unrestricted') return estimateWhole(deps, [{ source, plan }], signal)
  const ids = new Set(fieldsOfQuery(query, source.schema).flatMap(idsBelow))
  const read = await bytesOfPlan(
    deps,
    { source, plan },
    { sizeOf: (file) => bytesOf(file, ids), signal },
  )
  const matching = {
    min:
      filter === undefined
        ? (plan.totals.liveRecords ?? 0)
        : await surely(source, { plan, filter, signal }),
    max: plan.totals.liveRecords ?? plan.totals.records,
  }
  const rows = resultRows(query, matching)
  return { rows, ...read, files: plan.totals.dataFiles, filesSkipped: plan.files.skipped }
}

/** Counts whole files: a text may join anything with anything, so only what it reads is known. */
export async function estimateWhole(
  deps: Pick<RowsDependencies, 'objects'>,
  tables: readonly PlannedSource[],
  signal: AbortSignal,
): Promise<QueryEstimate> {
  const sums = { files: 0, bytes: 0, cost: 0 }
  for (const table of tables) {
    const sizeOf = ({ fileSizeBytes }: DataFile) => fileSizeBytes
    const { bytes, cost } = await bytesOfPlan(deps, table, { sizeOf, signal })
    sums.files += table.plan.totals.dataFiles
    sums.bytes += bytes
    sums.cost += cost
  }
  return { rows: { min: 0, max: null }, ...sums, filesSkipped: 0 }
}

/** File by file, none of which is kept: there may be a million. */
async function bytesOfPlan(
  { objects }: Pick<RowsDependencies, 'objects'>,
  { source, plan }: PlannedSource,
  { sizeOf, signal }: { sizeOf(file: DataFile): number; readonly signal: AbortSignal },
): Promise<Pick<QueryEstimate, 'bytes' | 'cost'>> {
  const allowed = allowedTo(source.restriction, objects)
  const turns = new Turns(signal)
  let [bytes, cost, looks] = [0, 0, 0]
  for (const file of plan.plannedFiles(['columnSizes'])) {
    if (looks++ % FILES_PER_TURN === 0) await turns.take()
    requireAllowed(allowed, file)
    const size = sizeOf(file.dataFile)
    bytes += size
    cost += costOf(size)
  }
  return { bytes, cost }
}

function costOf(bytes: number): number {
  return Math.max(bytes, FILE_COST_BYTES)
}

/** What reading these files as a whole counts for. */
export function costOfFiles(files: readonly Pick<PlannedFile, 'dataFile'>[]): number {
  return files.reduce((sum, { dataFile }) => sum + costOf(dataFile.fileSizeBytes), 0)
}

/**
 * What a reading of the tables reports to. Where some of the rows or values are withheld, it counts
 * as whole files, once: what an engine left out by their statistics would tell of those.
 */
export function reportOf(
  tables: readonly {
    readonly source: Pick<QuerySource, 'restriction'>
    readonly files: readonly PlannedFile[]
  }[],
  onRead: OnRead,
): OnRead {
  if (tables.every(({ source }) => source.restriction === 'unrestricted')) return onRead
  onRead(costOfFiles(tables.flatMap(({ files }) => files)))
  return () => undefined
}

/** Compressed bytes of the columns; of the whole file where it does not say theirs. */
function bytesOf(
  { columnSizes, fileSizeBytes }: PlannedFile['dataFile'],
  ids: ReadonlySet<number>,
): number {
  if (columnSizes === undefined || columnSizes.size === 0) return fileSizeBytes
  let bytes = 0
  for (const [id, size] of columnSizes) if (ids.has(id)) bytes += Number(size)
  return Math.min(bytes, fileSizeBytes)
}

function idsBelow({ id, type }: Field): readonly number[] {
  return [id, ...childFields(type).flatMap(idsBelow)]
}

/**
 * Rows of the files in which every row matches: those of the plan that a filter for the other rows,
 * for which this one is FALSE or unknown, rules out.
 */
async function surely(
  { state, schema }: QuerySource,
  {
    plan,
    filter,
    signal,
  }: { readonly plan: ScanPlan; readonly filter: string; readonly signal: AbortSignal },
): Promise<number> {
  const others = otherRows(parseFilter(filter))
  if (others === undefined) return 0
  const left = (await narrowedTotals(plan, state, { schema, filter: others, signal })).liveRecords
  const live = plan.totals.liveRecords
  return live === undefined || left === undefined ? 0 : live - left
}

function resultRows(
  { groupBy, limit = Number.POSITIVE_INFINITY }: BoundQuery,
  { min, max }: { readonly min: number; readonly max: number },
): QueryEstimate['rows'] {
  if (groupBy?.length === 0) return { min: Math.min(1, limit), max: Math.min(1, limit) }
  const least = groupBy === undefined ? min : Math.min(min, 1)
  return { min: Math.min(least, limit), max: Math.min(max, limit) }
}
