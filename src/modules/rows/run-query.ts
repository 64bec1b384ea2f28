import { CatalogError } from '../../core/errors.ts'
import { bindQuery, fieldsOfQuery } from '../../core/query/bind-query.ts'
import type { BoundQuery, QueryRequest } from '../../core/query/bound-query.ts'
import { type InlineMax, inlineMaxOf } from '../../core/query/inline-max.ts'
import { requireDistinctNames } from '../../core/query/result-names.ts'
import { parseAsAt } from '../../core/table/as-at.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { Schema } from '../../core/value/type.ts'
import type { QueryResult, SqlReference } from '../../engine/engine.ts'
import type { Target } from '../../http/authorizer.ts'
import { selectorOf } from '../../http/common-shapes.ts'
import type { Preferences, Wait } from '../../http/prefer.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import type { PlannedFile, ScanPlan } from '../../lake/scan/plan-files.ts'
import { estimateQuery, estimateWhole, type QueryEstimate, reportOf } from './estimate.ts'
import { inTime, type TimeLimit } from './in-time.ts'
import type { OnRead } from './limits/query-limits.ts'
import type { QueryBody, StructuredQuery } from './query-shapes.ts'
import {
  asCostly,
  filesOfPlan,
  findSource,
  planSource,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  snapshotIdOf,
  type TableReader,
} from './query-source.ts'
import type { RowsParts } from './rows-parts.ts'
import { formatOf, type ResultForm } from './rows-response.ts'

/** How long a query that may be larger is tried. */
const WAIT_SECONDS_MAX = 10
/** Files of a query that is tried: they are in memory, and more are not read in time. */
const TRIED_FILES_MAX = 20_000
/** What parsing a text may take whose client waits for less. */
const PREPARING_MS_MIN = 1_000

/** A table at a snapshot, and which of its data files may have matching rows. */
export interface PlannedTable {
  readonly source: QuerySource
  readonly plan: ScanPlan
}

/** The same, with these files, in their order. */
export interface ReadTable {
  readonly source: QuerySource
  readonly files: readonly PlannedFile[]
}

/** A query of pinned snapshots, and what it will take. */
export type PreparedQuery = {
  readonly tables: readonly PlannedTable[]
  readonly estimate: QueryEstimate
  readonly inlineMax: InlineMax
} & (
  | { readonly kind: 'structured'; readonly query: BoundQuery }
  | { readonly kind: 'sql'; readonly sql: string; readonly canonical: string }
)

export type PreparedSql = Extract<PreparedQuery, { readonly kind: 'sql' }>

export interface QueryRows {
  readonly result: Schema
  readonly rows: number
}

export interface AskOptions extends TableReader {
  /** Whether the caller may read the tables. */
  authorize(privilege: 'select', targets: readonly Target[]): Promise<void>
  readonly closed: AbortSignal
}

/** Reads no data. */
export async function prepareQuery(
  deps: RowsDependencies,
  body: QueryBody,
  options: AskOptions,
): Promise<PreparedQuery> {
  const { sql, source: asked, filter } = body
  if (asked === undefined) {
    return await prepareSql(deps, sql ?? '', options)
  }
  const { authorize, authorizeFound, policyOn, closed } = options
  const reader = { authorizeFound, policyOn }
  await authorize('select', [{ on: 'table', name: asked.table }])
  const source = await findSource(deps, asked.table, { selector: selectorOf(asked), ...reader })
  const query = bindQuery(requestOf(body), source.schema)
  const plan = await planSource(deps, source, { filter, signal: closed })
  const asking = { plan, query, filter, signal: closed }
  const estimate = await estimateQuery(deps, source, asking)
  const inlineMax = inlineMaxFor(deps, [source])
  return { kind: 'structured', query, tables: [{ source, plan }], estimate, inlineMax }
}

/** As the rules of queries take it. */
export function requestOf({
  group_by: groupBy,
  order_by: orderBy,
  ...body
}: Omit<StructuredQuery, 'source'>): QueryRequest {
  const { columns, filter, aggregates, limit } = body
  const order = orderBy?.map(({ column, direction, nulls }) => {
    return { column, descending: direction === 'desc', nullsFirst: nulls === 'first' }
  })
  return { columns, filter, groupBy, aggregates, orderBy: order, limit }
}

/** Throws `query-invalid`, and as finding the tables does. */
export async function prepareSql(
  deps: RowsDependencies,
  sql: string,
  { authorize, closed, ...reader }: AskOptions,
): Promise<PreparedSql> {
  const { references, canonical } = await asCostly(() => deps.converter.parseSql(sql, closed))
  if (references.length === 0) {
    throw new CatalogError('query-invalid', 'a query names a table')
  }
  await authorize(
    'select',
    references.map(({ table }) => ({ on: 'table', name: table })),
  )
  const tables: PlannedTable[] = []
  for (const reference of references) {
    const selector = selectorOfReference(reference)
    const source = await findSource(deps, reference.table, { selector, ...reader })
    tables.push({ source, plan: await planSource(deps, source, { signal: closed }) })
  }
  const inlineMax = inlineMaxFor(
    deps,
    tables.map(({ source }) => source),
  )
  const estimate = await estimateWhole(deps, tables, closed)
  return { kind: 'sql', sql, canonical, tables, estimate, inlineMax }
}

function inlineMaxFor(
  { inlineMax }: Pick<RowsDependencies, 'inlineMax'>,
  sources: readonly QuerySource[],
): InlineMax {
  return inlineMaxOf(
    inlineMax,
    sources.map(({ state }) => state.definition.properties),
  )
}

function selectorOfReference({ timestamp, version }: SqlReference): SnapshotSelector {
  if (timestamp !== undefined) return { asAtMs: parseAsAt(timestamp) }
  return version === undefined ? {} : { snapshotIdentifier: version }
}

/** Whether the result surely fits into a response, and is read at once. */
export function isInline({
  estimate: { rows, bytes, files },
  inlineMax: max,
}: Pick<PreparedQuery, 'estimate' | 'inlineMax'>): boolean {
  return (rows.max ?? Infinity) <= max.rows && bytes <= max.bytes && files <= max.files
}

export interface RunOptions {
  readonly form: ResultForm
  /** As `trialOf` limits it. */
  readonly signal: AbortSignal
  readonly onRead: OnRead
  /** Gets the rows. */
  readonly parts: Pick<RowsParts, 'add' | 'addText'>
}

/** Throws `result-too-large` with the estimate for what is not tried, and so waits for no turn. */
export function requireTriable(
  prepared: PreparedQuery,
  {
    preferences,
    isInlineRequired,
  }: {
    readonly preferences: Preferences
    /** Whether the client takes nothing but the result itself. */
    readonly isInlineRequired: boolean
  },
): void {
  const isSmall = isInline(prepared)
  const isKnown = prepared.estimate.rows.max !== null
  const isLate = preferences.isAsync && !isInlineRequired && mayBecomeDataset(prepared)
  if (isLate || (!isSmall && isInlineRequired && isKnown)) {
    throw tooLarge(prepared, 'the result may be larger than what comes in a response')
  }
  // Of restricted tables no estimate tells less, however it is filtered, and no dataset is made.
  const isTold = prepared.tables.every(isWhole)
  if (!isSmall && isTold && prepared.estimate.files > TRIED_FILES_MAX) {
    throw tooLarge(prepared, `the query reads more than ${TRIED_FILES_MAX} files`)
  }
}

/**
 * Prepares a query while the client waits; throws `overloaded` when it waits no longer. There is no
 * answer without it, so one that waits for nothing waits for that, too.
 */
export function prepareInTime<T>(
  { closed, wait, waitSeconds, ...asking }: AskOptions & Waiting,
  prepare: (options: AskOptions) => Promise<T>,
): Promise<T> {
  const leftMs =
    waitSeconds === undefined ? undefined : Math.max(wait.leftMs(waitSeconds), PREPARING_MS_MIN)
  const late = new CatalogError('overloaded', 'the query was not planned in time: ask again later')
  return inTime({ closed, leftMs, late }, (signal) => prepare({ ...asking, closed: signal }))
}

/** How long a client waits for the whole answer, wherever the time goes. */
export interface Waiting {
  readonly wait: Wait
  readonly waitSeconds: number | undefined
}

/**
 * For how long a query is tried, its place in the queue included: as long as the client waits; one
 * that may be larger than what comes in a response for 10 seconds at most.
 */
export function trialOf(
  prepared: PreparedQuery,
  { closed, wait, waitSeconds }: Waiting & { readonly closed: AbortSignal },
): TimeLimit {
  const late = tooLarge(prepared, 'the result was not there in time')
  const seconds = isInline(prepared)
    ? waitSeconds
    : Math.min(waitSeconds ?? WAIT_SECONDS_MAX, WAIT_SECONDS_MAX)
  return { closed, late, leftMs: seconds === undefined ? undefined : wait.leftMs(seconds) }
}

/**
 * The rows, if they fit into the response and are there in time; else `result-too-large` with the
 * estimate.
 */
export async function runInline(
  deps: RowsDependencies,
  prepared: PreparedQuery,
  options: RunOptions,
): Promise<QueryRows> {
  try {
    const reads = prepared.tables.map(({ source }) => source)
    return await readHeld(deps, reads, (held) => readInline(deps, prepared, { ...options, held }))
  } catch (error) {
    const isLarge = error instanceof CatalogError && error.code === 'result-too-large'
    throw isLarge ? tooLarge(prepared, error.message) : error
  }
}

/**
 * Nothing becomes a dataset of tables without a snapshot, or of what a caller sees of restricted
 * ones: others read datasets.
 */
export function mayBecomeDataset({ tables }: PreparedQuery): boolean {
  return tables.every((table) => table.source.snapshot !== undefined && isWhole(table))
}

function isWhole({ source }: PlannedTable): boolean {
  return source.restriction === 'unrestricted'
}

async function readInline(
  deps: RowsDependencies,
  prepared: PreparedQuery,
  { form, held, signal, parts, ...options }: RunOptions & { readonly held: HeldFiles },
): Promise<QueryRows> {
  const { rows: rowsMax, bytes: bytesMax } = prepared.inlineMax
  const { converter } = deps
  const part = { rowsMax, bytesMax, withoutLast: true } as const
  const read: ReadTable[] = []
  for (const table of prepared.tables) {
    read.push({ source: table.source, files: await filesOfPlan(deps, table, signal) })
  }
  const onRead = reportOf(read, options.onRead)
  const output = { part, takesText: true, format: formatOf(form), signal, onRead } as const
  const keep = async (made: Pick<QueryResult, 'hasMore' | 'rows' | 'text'>, path: string) => {
    if (made.hasMore) throw tooLarge(prepared, `the result has more than ${rowsMax} rows`)
    await (made.text === undefined ? parts.add(path) : parts.addText(made.text))
    return made.rows
  }
  if (prepared.kind === 'sql') {
    const tables = read.map((each) => queried(each, held))
    const asked = { sql: prepared.sql, tables, ...output }
    return await converter.querySql(asked, async (made, path) => {
      requireDistinctNames(made.schema.fields)
      return { result: made.schema, rows: await keep(made, path) }
    })
  }
  const { query } = prepared
  const asked = { ...queried(read[0], held, query), query, ...output }
  return await converter.query(asked, async (made, path) => {
    return { result: query.result, rows: await keep(made, path) }
  })
}

/** The table as it is read: all of its columns, or those of a query. */
export function queried(table: ReadTable | undefined, held: HeldFiles, query?: BoundQuery) {
  if (table === undefined) throw new Error('a query has a table')
  const { source, files } = table
  const { schema, state, restriction } = source
  const fields = query === undefined ? schema.fields : fieldsOfQuery(query, schema)
  return {
    restriction,
    held,
    definition: state.definition,
    readAs: { ...schema, fields },
    sources: files,
  }
}

function tooLarge(prepared: PreparedQuery, why: string): CatalogError {
  const detail = why.includes(': ') ? why : `${why}: limit it, or filter it further`
  return new CatalogError('result-too-large', detail, {
    facts: { estimate: estimateJson(prepared) },
  })
}

/** As the API shows it. */
export function estimateJson({ tables, estimate, inlineMax }: Omit<PreparedQuery, 'kind'>) {
  const { rows, bytes, files, filesSkipped, cost } = estimate
  return {
    sources: sourcesJson(tables),
    rows,
    bytes,
    files,
    files_skipped: filesSkipped,
    would: isInline({ estimate, inlineMax }) || !tables.every(isWhole) ? 'inline' : 'dataset',
    cost,
  }
}

/** The snapshots that a query reads. */
export function sourcesJson(tables: readonly PlannedTable[]) {
  return tables.map(({ source }) => ({
    table_uuid: source.state.definition.tableUuid,
    snapshot_id: snapshotIdOf(source),
  }))
}
