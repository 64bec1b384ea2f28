import { CatalogError } from '../../../core/errors.ts'
import { isTurnDue } from '../../../core/turns.ts'
import { MICROS_PER_DAY } from '../../../core/value/date-time.ts'
import { LONG_MAX, LONG_MIN } from '../../../core/value/single-value.ts'
import type { ColumnChunk, ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import { shownPath } from '../footer/shown-path.ts'
import { type UnsupportedColumn, unsupportedPagesSteps } from '../footer/unsupported-pages.ts'
import { type LeafType, leafTypeOf } from '../schema/leaf-type.ts'

const COLUMNS_TOLD_MAX = 100
/** How much of a bound is held against UTF-8: most are cut after some dozens of bytes. */
const TEXT_BYTES_MAX = 1_024
/** Julian day of 1970-01-01. */
const JULIAN_EPOCH = 2_440_588n
/** How a bound is read: of INT96 the day, after eight bytes of nanoseconds. */
const EXTREMES: Readonly<Record<string, Extreme>> & { readonly INT64: Extreme } = {
  INT32: { width: 4, isShort: true },
  INT64: { width: 8, isShort: false },
  INT96: { width: 12, offset: 8, isShort: true },
}
const TICKS_PER_MICRO: Readonly<Record<string, { times: bigint; over: bigint }>> = {
  'time-millis': { times: 1000n, over: 1n },
  millis: { times: 1000n, over: 1n },
  nanos: { times: 1n, over: 1000n },
  int64: { times: 1n, over: 1n },
}

/**
 * Refuses a file with rows that could never be read again, as far as its footer tells: pages in a
 * form that the engine does not know, times outside a day, milliseconds that overflow. Throws
 * `file-unsupported`, which names each column and what to do. In steps, with pauses for others.
 */
export function* requireSupportedSteps(footer: ParquetFooter): Generator<void, void> {
  const pages = yield* unsupportedPagesSteps(footer)
  refuse([...pages, ...(yield* unsupportedValuesSteps(footer))])
}

/** The same for pages alone: what a file holds that is in a table is decided when it is read. */
export function* requireSupportedPagesSteps(footer: ParquetFooter): Generator<void, void> {
  refuse(yield* unsupportedPagesSteps(footer))
}

function refuse(columns: readonly UnsupportedColumn[]): void {
  if (columns.length === 0) return
  const told = columns.slice(0, 3).map(({ column, problem }) => `${column} ${problem}`)
  const rest = columns.length > 3 ? `; and ${columns.length - 3} more` : ''
  throw new CatalogError('file-unsupported', `${told.join('; ')}${rest}`, {
    facts: { columns: columns.slice(0, COLUMNS_TOLD_MAX) },
  })
}

function* unsupportedValuesSteps(
  footer: ParquetFooter,
): Generator<void, readonly UnsupportedColumn[]> {
  const found: UnsupportedColumn[] = []
  for (const leaf of footer.leaves) {
    const problem = yield* valueProblemSteps(footer, leaf)
    if (problem !== undefined) found.push({ column: shownPath(leaf.path), problem })
  }
  return found
}

const NOT_UTF8 = 'has text that is not UTF-8: write the file again with valid text'

function* valueProblemSteps(
  { rowGroups }: ParquetFooter,
  leaf: ParquetLeaf,
): Generator<void, string | undefined> {
  yield
  const leafType = leafTypeOf(leaf)
  if ('unsupported' in leafType) return undefined
  const isText = leafType.form === 'text'
  const limits = limitsOf(leafType)
  if (!isText && limits === undefined) return undefined
  for (const [i, { columns }] of rowGroups.entries()) {
    const chunk = columns[leaf.leafIndex]
    if (isText && bounds(chunk).some(isNotText)) return NOT_UTF8
    if (limits !== undefined && isOutside(extremes(chunk, leaf), limits)) return limits.problem
    if (isTurnDue(i)) yield
  }
  return undefined
}

function isOutside(ticks: readonly bigint[], { min, max }: Limits): boolean {
  return ticks.some((each) => each < min || each > max)
}

interface Extreme {
  /** In bytes, from the beginning. */
  readonly width: number
  readonly offset?: number
  /** Whether it has 32 bits. */
  readonly isShort: boolean
}

interface Limits {
  /** In the file's own unit. */
  readonly min: bigint
  readonly max: bigint
  readonly problem: string
}

/** DuckDB's reader would make moments of other days of them. */
const INT96_DAYS: Limits = {
  min: JULIAN_EPOCH + LONG_MIN / MICROS_PER_DAY,
  max: JULIAN_EPOCH + LONG_MAX / MICROS_PER_DAY - 1n,
  problem:
    'has moments of INT96 that are too far from 1970 for microseconds of 64 bits: ' +
    'put others in their place',
}

/** A bound may end within a character, where its writer or this cut it off. */
function isNotText(bound: Uint8Array): boolean {
  try {
    const beginning = bound.subarray(0, TEXT_BYTES_MAX)
    new TextDecoder('utf-8', { fatal: true }).decode(beginning, { stream: true })
    return false
  } catch {
    return true
  }
}

function limitsOf({ type, form }: LeafType): Limits | undefined {
  if (form === 'unusable') return INT96_DAYS
  const unit = TICKS_PER_MICRO[form]
  if (unit === undefined) return undefined
  if (type.kind === 'time') {
    const problem = 'has times of day outside 00:00 to 23:59:59.999999: write them as another type'
    return { min: 0n, max: (MICROS_PER_DAY / unit.times) * unit.over - 1n, problem }
  }
  if (form !== 'millis') return undefined
  const problem =
    'has milliseconds that are too many for microseconds of 64 bits, ' +
    'which are what a timestamp is in a table: put others in their place'
  return { min: LONG_MIN / unit.times, max: LONG_MAX / unit.times, problem }
}

/** Minimum and maximum of a chunk, in the file's unit, as far as they are known. */
function extremes(chunk: ColumnChunk | undefined, { physicalType }: ParquetLeaf): bigint[] {
  const { width, offset = 0, isShort } = EXTREMES[physicalType] ?? EXTREMES.INT64
  return bounds(chunk).flatMap((bytes) => {
    if (bytes.length !== width) return []
    const view = new DataView(bytes.buffer, bytes.byteOffset, width)
    return [isShort ? BigInt(view.getInt32(offset, true)) : view.getBigInt64(offset, true)]
  })
}

function bounds(chunk: ColumnChunk | undefined): readonly Uint8Array[] {
  const { min, max, minValue = min, maxValue = max } = chunk?.statistics ?? {}
  return [minValue, maxValue].flatMap((bound) => bound ?? [])
}
