import { CatalogError } from '../../core/errors.ts'
import { LinkedStop } from '../../core/linked-stop.ts'
import { bindQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery, QueryRequest } from '../../core/query/bound-query.ts'
import { selectorOf } from '../../http/common-shapes.ts'
import type { Preferences } from '../../http/prefer.ts'
import { estimateQuery, type QueryEstimate } from './estimate.ts'
import type { QueryBody } from './query-shapes.ts'
import {
  asCostly,
  findSource,
  type PlannedSources,
  planSources,
  type QuerySource,
  type RowsDependencies,
  snapshotIdOf,
} from './query-source.ts'
import { formatOf, type ResultForm } from './rows-response.ts'

/** What comes in the response itself. */
export const INLINE_MAX = { rows: 10_000, bytes: 8 * 1024 * 1024, files: 16 }
/** How long a query that may be larger is tried. */
const WAIT_SECONDS_MAX = 10

/** A query of a pinned snapshot, and what it will take. */
export interface PreparedQuery extends PlannedSources {
  readonly source: QuerySource
  readonly query: BoundQuery
  readonly estimate: QueryEstimate
}

export interface QueryRows {
  readonly rows: number
  readonly bytes: Uint8Array
}

/** Reads no data. */
export async function prepareQuery(
  deps: RowsDependencies,
  body: QueryBody,
): Promise<PreparedQuery> {
  const source = await findSource(deps, body.source.table, selectorOf(body.source))
  const query = bindQuery(requestOf(body), source.schema)
  const planned = await planSources(deps, source, body.filter)
  const estimate = await estimateQuery(deps, source, { ...planned, query, filter: body.filter })
  return { source, query, estimate, ...planned }
}

function requestOf({
  columns,
  filter,
  group_by,
  aggregates,
  order_by,
  limit,
}: QueryBody): QueryRequest {
  return {
    columns,
    filter,
    groupBy: group_by,
    aggregates,
    orderBy: order_by?.map(({ column, direction, nulls }) => {
      return { column, descending: direction === 'desc', nullsFirst: nulls === 'first' }
    }),
    limit,
  }
}

/** Whether the result surely fits into a response, and is read at once. */
export function isInline({ rows, bytes, files }: QueryEstimate): boolean {
  return rows.max <= INLINE_MAX.rows && bytes <= INLINE_MAX.bytes && files <= INLINE_MAX.files
}

export interface RunOptions {
  readonly form: ResultForm
  readonly preferences: Preferences
  /** Whether the client takes nothing but the result itself. */
  readonly isInlineRequired: boolean
  readonly closed: AbortSignal
}

/**
 * The rows, if they fit into the response and are there in time; else `result-too-large` with the
 * estimate. A query that may be larger is tried for as long as the client waits.
 */
export async function runInline(
  deps: RowsDependencies,
  prepared: PreparedQuery,
  { form, preferences, isInlineRequired, closed }: RunOptions,
): Promise<QueryRows> {
  const isSmall = isInline(prepared.estimate)
  if (!isSmall && (isInlineRequired || preferences.isAsync)) {
    throw tooLarge(prepared, 'the result may be larger than what comes in a response')
  }
  const ends = new LinkedStop(closed)
  const { waitSeconds = WAIT_SECONDS_MAX } = preferences
  const late = tooLarge(prepared, 'the result was not there in time')
  const timer = isSmall
    ? undefined
    : setTimeout(() => ends.abort(late), Math.min(waitSeconds, WAIT_SECONDS_MAX) * 1000)
  try {
    return await asCostly(() => readInline(deps, prepared, form, ends.signal))
  } catch (error) {
    const isLarge = error instanceof CatalogError && error.code === 'result-too-large'
    throw isLarge ? tooLarge(prepared, error.message) : error
  } finally {
    clearTimeout(timer)
    ends.unlink()
  }
}

async function readInline(
  deps: RowsDependencies,
  prepared: PreparedQuery,
  form: ResultForm,
  signal: AbortSignal,
): Promise<QueryRows> {
  const { source, query, files } = prepared
  const { schema, state } = source
  const { result, bytes } = await deps.converter.queryBytes({
    definition: state.definition,
    readAs: { ...schema, fields: fieldsOfQuery(query, schema) },
    sources: files,
    query,
    part: { rowsMax: INLINE_MAX.rows, bytesMax: INLINE_MAX.bytes },
    format: formatOf(form),
    signal,
  })
  if (!result.hasMore) return { rows: result.rows, bytes }
  throw tooLarge(prepared, `the result has more than ${INLINE_MAX.rows} rows`)
}

function tooLarge(prepared: PreparedQuery, why: string): CatalogError {
  return new CatalogError('result-too-large', `${why}: limit it, or filter it further`, {
    facts: { estimate: estimateJson(prepared) },
  })
}

/** As the API shows it. */
export function estimateJson({ source, estimate }: Pick<PreparedQuery, 'source' | 'estimate'>) {
  const { rows, bytes, files, filesSkipped, cost } = estimate
  return {
    snapshot_id: snapshotIdOf(source),
    rows,
    bytes,
    files,
    files_skipped: filesSkipped,
    would: isInline(estimate) ? 'inline' : 'dataset',
    cost,
  }
}
