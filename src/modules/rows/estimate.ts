import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { otherRows } from '../../core/filter/parse/other-rows.ts'
import { fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery } from '../../core/query/bound-query.ts'
import { childFields } from '../../core/schema/schema-lookup.ts'
import type { Field } from '../../core/value/type.ts'
import { type PlannedFile, planScan } from '../../lake/scan/plan-files.ts'
import type { OnRead } from './limits/query-limits.ts'
import type { PlannedSources, QuerySource, RowsDependencies } from './query-source.ts'

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

/** Reads no data. */
export async function estimateQuery(
  deps: Pick<RowsDependencies, 'manifests'>,
  source: QuerySource,
  asked: PlannedSources & {
    readonly query: BoundQuery
    readonly filter: string | undefined
    readonly signal: AbortSignal
  },
): Promise<QueryEstimate> {
  // What is in which column, and how many rows match, is told to nobody who does not see it.
  if (source.restriction !== 'unrestricted') return estimateWhole([asked])
  const { plan, files, query, filter, signal } = asked
  const ids = new Set(fieldsOfQuery(query, source.schema).flatMap(idsBelow))
  let bytes = 0
  let cost = 0
  for (const { dataFile } of files) {
    const read = bytesOf(dataFile, ids)
    bytes += read
    cost += Math.max(read, FILE_COST_BYTES)
  }
  const matching = {
    min:
      filter === undefined
        ? (plan.totals.liveRecords ?? 0)
        : await surely(deps, source, { filter, signal }),
    max: plan.totals.liveRecords ?? plan.totals.records,
  }
  const rows = resultRows(query, matching)
  return { rows, bytes, files: files.length, filesSkipped: plan.files.skipped, cost }
}

/** Counts whole files: a text may join anything with anything, so only what it reads is known. */
export function estimateWhole(tables: readonly Pick<PlannedSources, 'files'>[]): QueryEstimate {
  const files = tables.flatMap((table) => table.files)
  const sizes = files.map(({ dataFile }) => dataFile.fileSizeBytes)
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const cost = sizes.reduce((sum, size) => sum + Math.max(size, FILE_COST_BYTES), 0)
  return { rows: { min: 0, max: null }, bytes, files: files.length, filesSkipped: 0, cost }
}

/**
 * What a reading of the tables reports to. Where some of the rows or values are withheld, it counts
 * as whole files, once: what an engine left out by their statistics would tell of those.
 */
export function reportOf(
  tables: readonly (Pick<PlannedSources, 'files'> & {
    readonly source: Pick<QuerySource, 'restriction'>
  })[],
  onRead: OnRead,
): OnRead {
  if (tables.every(({ source }) => source.restriction === 'unrestricted')) return onRead
  onRead(estimateWhole(tables).cost)
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
 * Rows of the files in which every row matches: those that a filter for the other rows, for which
 * this one is FALSE or unknown, rules out.
 */
async function surely(
  deps: Pick<RowsDependencies, 'manifests'>,
  { state, snapshot, schema }: QuerySource,
  { filter, signal }: { readonly filter: string; readonly signal: AbortSignal },
): Promise<number> {
  const others = otherRows(parseFilter(filter))
  if (others === undefined) return 0
  const all = await planScan(deps, state, { snapshot, schema, signal })
  const kept = await planScan(deps, state, { snapshot, schema, filter: others, signal })
  const [live, left] = [all.totals.liveRecords, kept.totals.liveRecords]
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
