import { BoundedMap } from '../../core/bounded-map.ts'
import { CatalogError } from '../../core/errors.ts'
import { columnNames, findColumn } from '../../core/filter/bind/filter-column.ts'
import { quotedName } from '../../core/quoted-name.ts'
import { findPathToField } from '../../core/schema/schema-lookup.ts'
import { SharedWork } from '../../core/shared-work.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import { valueToJson } from '../../core/value/single-value.ts'
import {
  type Field,
  isNested,
  type PrimitiveType,
  type Type,
  typeName,
} from '../../core/value/type.ts'
import { compareValues } from '../../core/value/value.ts'
import { parseExactJson } from '../../formats/json/exact-json.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { columnFacts, type KnownColumn } from '../../lake/scan/column-facts.ts'
import { reportOf } from './estimate.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  findSource,
  planSource,
  planSources,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  readingOf,
  requireAllAllowed,
  restrictionText,
  type TableReader,
} from './query-source.ts'

/** Statistics that are kept, by snapshot and column. */
const KEPT_MAX = 1_000
/** What has longer values is computed again. */
const KEPT_BYTES_MAX = 64 * 1024
const BINS = 20
const TOP_VALUES = 20
/** With more values, the most frequent ones are not looked for. */
const DISTINCT_MAX = 10_000
/** Distinct values of more rows take memory for each; DuckDB's sketch is often off by a fifth. */
const EXACT_ROWS_MAX = 100_000
const COLUMNS_LISTED_MAX = 20
const PART = { rowsMax: 1_000, bytesMax: 4 * 1024 * 1024 }

/** In the order of the answer. */
export const STATISTICS = [
  'rows',
  'nulls',
  'nans',
  'distinct',
  'least',
  'greatest',
  'histogram',
  'top_values',
] as const

export type StatisticName = (typeof STATISTICS)[number]

/** What a column has at a snapshot, as the API shows it, as far as it is known. */
export type ColumnStatistics = Readonly<Partial<Record<StatisticName, unknown>>>

export interface DescribedColumn {
  readonly source: QuerySource
  readonly name: string
  readonly type: Type
  readonly statistics: ColumnStatistics
  /** What they were found in. */
  readonly from: 'manifests' | 'files'
}

/** What is asked; whoever asks first is told what is read. */
interface Described extends TableReader {
  readonly table: string
  readonly column: string
  readonly selector: SnapshotSelector
  /** Which are wanted. */
  readonly only: readonly StatisticName[]
  readonly onRead: OnRead
  readonly signal: AbortSignal
}

/** What is asked, where nothing is read for it. */
type Unread = Omit<Described, 'onRead'>

interface Reading extends Pick<Described, 'onRead' | 'signal'> {
  /** Hears how long the results are. */
  readonly onWrite: (bytes: number) => void
}

/** A snapshot never changes: what was found of it once is kept, for those who see the same. */
export class StatisticsOfColumns {
  readonly #deps: RowsDependencies
  readonly #kept = new BoundedMap<string, SharedWork<ColumnStatistics>>(KEPT_MAX)

  constructor(deps: RowsDependencies) {
    this.#deps = deps
  }

  /** What is known of the column already, and costs nothing. */
  async findKnown(asked: Unread): Promise<DescribedColumn | undefined> {
    const { source, type, key } = await this.#find(asked)
    const known = this.#findKept(key)
    if (known?.isDone !== true) return undefined
    const statistics = await known.result(asked.signal)
    return { source, name: asked.column, type, statistics, from: 'files' }
  }

  /** What is wanted, if manifests tell all of it. `location-not-allowed` as when files are read. */
  async fromManifests(asked: Unread): Promise<DescribedColumn | undefined> {
    const { source, fieldId, type } = await this.#find(asked)
    const { signal, only, column: name } = asked
    // How many rows and values are withheld is told to nobody.
    if (source.restriction !== 'unrestricted') return undefined
    const plan = await planSource(this.#deps, source, { signal })
    await requireAllAllowed(this.#deps, { source, plan }, signal)
    const { definition } = source.state
    const { schema } = source
    const known = await columnFacts(plan, { definition, schema, fieldId, signal })
    const statistics = statisticsOf(known, type)
    const isWhole = only.every((each) => statistics[each] !== undefined)
    return isWhole ? { source, name, type, statistics, from: 'manifests' } : undefined
  }

  #findKept(key: string): SharedWork<ColumnStatistics> | undefined {
    const kept = this.#kept.get(key)
    return kept?.isLost === true ? undefined : kept
  }

  async #find({ table, column, ...asked }: Omit<Unread, 'only'>) {
    const source = await findSource(this.#deps, table, asked)
    const { fieldId, type } = resolve(source, column)
    const key = [...readingOf(source), fieldId, restrictionText(source)].join()
    return { source, fieldId, type, key }
  }

  async describe({ onRead, ...asked }: Described): Promise<DescribedColumn> {
    const { source, fieldId, type, key } = await this.#find(asked)
    let bytes = 0
    const onWrite = (written: number) => {
      bytes += written
    }
    const compute = (signal: AbortSignal) =>
      readHeld(this.#deps, [source], (held) =>
        this.#compute(source, held, { fieldId, type, onRead, onWrite, signal }),
      )
    // Others may wait for it, too: it goes on when who asked first has left.
    const kept = this.#findKept(key)
    const shared = kept ?? new SharedWork(compute)
    if (kept === undefined) this.#kept.set(key, shared)
    try {
      const statistics = await shared.result(asked.signal)
      return { source, name: asked.column, type, statistics, from: 'files' }
    } finally {
      // Its place and its charge are those of who began it, also when that client has left.
      if (kept === undefined) {
        await shared.over()
        if (bytes > KEPT_BYTES_MAX && this.#kept.get(key) === shared) this.#kept.delete(key)
      }
    }
  }

  async #compute(
    source: QuerySource,
    held: HeldFiles,
    { fieldId, type, ...reading }: Reading & { readonly fieldId: number; readonly type: Type },
  ): Promise<ColumnStatistics> {
    const path = findPathToField(source.schema.fields, fieldId) ?? []
    const value = ['x', ...path.map(({ name }) => quotedName(name))].join('.')
    const files = await planSources(this.#deps, source, reading)
    const onRead = reportOf([{ source, files }], reading.onRead)
    const { definition } = source.state
    const readAs = { ...source.schema, fields: path.slice(0, 1) as readonly Field[] }
    const { restriction } = source
    const table = { definition, readAs, restriction, held, sources: files }
    const { signal, onWrite } = reading
    const ask = (sql: string) => this.#ask({ sql, tables: [table], signal, onRead }, onWrite)
    const recordCount = files.reduce((sum, { dataFile }) => sum + dataFile.recordCount, 0)
    const isExact = recordCount <= EXACT_ROWS_MAX && !isNested(type)
    const [totals = {}] = await ask(totalsSql(value, type, isExact))
    const distinct = Number(totals['distinct'] ?? 0)
    const isTop = distinct > 0 && distinct <= DISTINCT_MAX && !isNested(type)
    const isBinned = binnedSql(value, type) !== undefined && distinct > TOP_VALUES
    const bins = isBinned ? await ask(histogramSql(value, type)) : []
    const top = isTop ? await ask(topSql(value, type)) : []
    return {
      rows: totals['rows'] ?? 0,
      nulls: totals['nulls'] ?? 0,
      nans: totals['nans'] ?? null,
      distinct: { count: distinct, is_approximate: !isExact },
      least: totals['least'] ?? null,
      greatest: totals['greatest'] ?? null,
      histogram: isBinned ? { counts: countsOf(bins) } : null,
      top_values: isTop ? top.map((row) => ({ value: row['value'], rows: row['rows'] })) : null,
    }
  }

  async #ask(
    asked: Omit<Parameters<RowsDependencies['converter']['querySql']>[0], 'format'>,
    onWrite: Reading['onWrite'],
  ) {
    const { converter } = this.#deps
    const query = { ...asked, part: PART, format: 'ndjson' as const }
    return await converter.querySql(query, async (_, path) => {
      const bytes = await converter.read(path)
      onWrite(bytes.length)
      const text = new TextDecoder().decode(bytes)
      const lines = text.split('\n').filter((line) => line !== '')
      return lines.map((line) => parseExactJson(line) as Readonly<Record<string, unknown>>)
    })
  }
}

function resolve({ schema }: QuerySource, column: string) {
  const path = column.split('.')
  const exact = findColumn(schema, [column])
  const found = typeof exact === 'object' ? exact : findColumn(schema, path)
  const shown = column.slice(0, 100)
  if (typeof found === 'string') {
    const columns = columnNames(schema, COLUMNS_LISTED_MAX)
    const facts = { column: shown, columns }
    throw new CatalogError('query-invalid', `column ${shown} is ${found}`, { facts })
  }
  if (!['variant', 'opaque', 'unknown'].includes(found.type.kind)) return found
  const detail = `column ${shown} of type ${typeName(found.type)} has no statistics`
  throw new CatalogError('query-invalid', detail, { facts: { column: shown } })
}

/** What follows from what manifests tell. A column of one value needs no other look. */
function statisticsOf({ rows, nulls, ends }: KnownColumn, type: Type): ColumnStatistics {
  const counts = { rows, nulls, nans: isFloating(type) ? undefined : null }
  const [primitive, isPlain] = [type as PrimitiveType, !isNested(type) && !isFloating(type)]
  if (rows === undefined || nulls === undefined || ends === undefined || !isPlain) return counts
  if (ends === 'none') return { ...counts, ...NO_VALUES, least: null, greatest: null }
  const [least, greatest] = [ends.least, ends.greatest].map((end) => valueToJson(primitive, end))
  if (compareValues(primitive, ends.least, ends.greatest) !== 0)
    return { ...counts, least, greatest }
  const only = { value: least, rows: rows - nulls }
  const distinct = { count: 1, is_approximate: false }
  return { ...counts, distinct, least, greatest, histogram: null, top_values: [only] }
}

const NO_VALUES = {
  distinct: { count: 0, is_approximate: false },
  histogram: null,
  top_values: null,
}

function totalsSql(value: string, type: Type, isExact: boolean): string {
  if (isNested(type)) return `SELECT count(*) AS "rows", count(*) - count(${value}) AS nulls FROM x`
  const isFloat = isFloating(type)
  const numbers = isFloat ? ` FILTER (WHERE NOT isnan(${value}))` : ''
  const nans = isFloat ? `, count(*) FILTER (WHERE isnan(${value})) AS nans` : ''
  const distinct = isExact
    ? `count(DISTINCT ${value})`
    : `least(approx_count_distinct(${value}), count(${value}))`
  return (
    `SELECT count(*) AS "rows", count(*) - count(${value}) AS nulls${nans}, ` +
    `${distinct} AS "distinct", min(${value})${numbers} AS least, ` +
    `max(${value})${numbers} AS greatest FROM x`
  )
}

function topSql(value: string, type: Type): string {
  const known = `${value} IS NOT NULL${isFloating(type) ? ` AND NOT isnan(${value})` : ''}`
  return (
    `SELECT ${value} AS "value", count(*) AS "rows" FROM x WHERE ${known} ` +
    `GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${TOP_VALUES}`
  )
}

function isFloating({ kind }: Type): boolean {
  return kind === 'float' || kind === 'double'
}

/** The value as a number, where it has a place on a line. */
function binnedSql(value: string, { kind }: Type): string | undefined {
  switch (kind) {
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'decimal':
      return `CAST(${value} AS DOUBLE)`
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return `epoch(${value})`
    default:
      return undefined
  }
}

function histogramSql(value: string, type: Type): string {
  return (
    `WITH v AS (SELECT ${binnedSql(value, type)} AS n FROM x), ` +
    'f AS (SELECT n FROM v WHERE isfinite(n)), s AS (SELECT min(n) AS lo, max(n) AS hi FROM f) ' +
    `SELECT CASE WHEN hi = lo THEN 0 ELSE least(${BINS - 1}, ` +
    `CAST(floor((n - lo) / (hi - lo) * ${BINS}) AS INTEGER)) END AS bin, count(*) AS "rows" ` +
    'FROM f, s GROUP BY 1 ORDER BY 1'
  )
}

function countsOf(bins: readonly Readonly<Record<string, unknown>>[]): readonly unknown[] {
  const counts: unknown[] = Array.from({ length: BINS }, () => 0)
  for (const { bin, rows } of bins) counts[Number(bin)] = rows
  return counts
}
