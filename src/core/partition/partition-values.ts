import type { FileStatistics } from '../file/file-statistics.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../schema/column-projection.ts'
import { findPathToField } from '../schema/schema-lookup.ts'
import { civilFromDays, twoDigits, yearText } from '../value/date-time.ts'
import { decodeSingleValue, encodeSingleValue } from '../value/single-value.ts'
import { isNested, type PrimitiveType, type Schema } from '../value/type.ts'
import { compareBytes, compareValues, type Value } from '../value/value.ts'
import type { PartitionField, PartitionSpec } from './partition-spec.ts'
import { NULL_FOLDER } from './path-values.ts'
import {
  applyTransform,
  canTransform,
  isOrderPreserving,
  transformResultType,
  transformToHuman,
} from './transform.ts'

export interface SpannedField {
  /** Name of the partition field. */
  readonly name: string
  readonly reason:
    | 'column-absent'
    | 'more-than-one-value'
    | 'nulls-and-values'
    | 'statistics-missing'
    | 'transform-unknown'
}

/** One value for each field of a spec, in its order. */
export type PartitionTuple = readonly (Value | null)[]

export type PartitionOutcome =
  | { readonly outcome: 'single'; readonly values: PartitionTuple }
  | { readonly outcome: 'spans'; readonly fields: readonly SpannedField[] }

type FieldOutcome = { readonly value: Value | null } | SpannedField['reason']

/**
 * The partition of a data file, if its metrics prove that there is only one; bounds are the least
 * and the greatest value, whole. A file without rows fits every partition, and is put into the one
 * with nulls.
 */
export function partitionOf(file: {
  readonly spec: PartitionSpec
  readonly schema: Schema
  readonly statistics: FileStatistics
  /** Values of columns that the file lacks. */
  readonly constants?: ConstantColumns
  isAbsent?(fieldId: number): boolean
}): PartitionOutcome {
  const { spec } = file
  const values: (Value | null)[] = []
  const spanned: SpannedField[] = []
  for (const field of spec.fields) {
    const result = valueOfField(field, file)
    if (typeof result === 'string') spanned.push({ name: field.name, reason: result })
    else values.push(result.value)
  }
  return spanned.length === 0
    ? { outcome: 'single', values }
    : { outcome: 'spans', fields: spanned }
}

function valueOfField(
  field: PartitionField,
  { schema, statistics, constants = NO_CONSTANTS, isAbsent }: Parameters<typeof partitionOf>[0],
): FieldOutcome {
  const constant = constants.get(field.sourceId)
  const isNull = field.transform.kind === 'void' || constant === null
  if (isNull || (statistics.recordCount === 0 && constant === undefined)) return { value: null }
  const path = findPathToField(schema.fields, field.sourceId)
  const type = path?.at(-1)?.type
  if (type === undefined || isNested(type) || !canTransform(field.transform, type)) {
    return 'transform-unknown'
  }
  if (constant !== undefined) return { value: applyTransform(field.transform, type, constant) }
  if (isAbsent?.(field.sourceId) === true) return 'column-absent'
  const isRequired = path?.every((step) => step.required) === true
  const nulls = statistics.nullCount(field.sourceId) ?? (isRequired ? 0 : undefined)
  if (nulls === undefined) return 'statistics-missing'
  const total = statistics.valueCount(field.sourceId) ?? statistics.recordCount
  if (nulls > 0) return nulls >= total ? { value: null } : 'nulls-and-values'
  return valueFromBounds(field, type, statistics)
}

function valueFromBounds(
  { sourceId, transform }: PartitionField,
  type: PrimitiveType,
  statistics: FileStatistics,
): FieldOutcome {
  const isFloat = type.kind === 'float' || type.kind === 'double'
  if (isFloat && statistics.nanCount(sourceId) !== 0) {
    return statistics.nanCount(sourceId) === undefined
      ? 'statistics-missing'
      : 'more-than-one-value'
  }
  const lower = wholeValue(type, statistics.lowerBound(sourceId))
  const upper = wholeValue(type, statistics.upperBound(sourceId))
  if (lower === undefined || upper === undefined) return 'statistics-missing'
  if (!isOrderPreserving(transform)) {
    if (compareValues(type, lower, upper) !== 0) return 'more-than-one-value'
    return { value: applyTransform(transform, type, lower) }
  }
  const low = applyTransform(transform, type, lower) as Value
  const high = applyTransform(transform, type, upper) as Value
  return isSame(transformResultType(transform, type), low, high)
    ? { value: low }
    : 'more-than-one-value'
}

/**
 * Returns `undefined` also for bytes cut inside a character: decoding would make different bounds
 * equal.
 */
function wholeValue(type: PrimitiveType, bound: Uint8Array | undefined): Value | undefined {
  if (bound === undefined) return undefined
  const value = decodeSingleValue(type, bound)
  if (type.kind !== 'string') return value
  return compareBytes(encodeSingleValue(type, value), bound) === 0 ? value : undefined
}

/** Whether two partitions of a spec are the same; zero and minus zero are two. */
export function isSamePartition(
  { spec, schema }: { readonly spec: PartitionSpec; readonly schema: Schema },
  left: PartitionTuple,
  right: PartitionTuple,
): boolean {
  return spec.fields.every(({ sourceId, transform }, i) => {
    const [l = null, r = null] = [left[i], right[i]]
    if (l === null || r === null) return l === r
    const type = findPathToField(schema.fields, sourceId)?.at(-1)?.type
    if (type === undefined || isNested(type)) return false
    return isSame(transformResultType(transform, type), l, r)
  })
}

function isSame(type: PrimitiveType, left: Value, right: Value): boolean {
  // Of a widened column one may be a number, and the other a bigint.
  const areNumbers = typeof left === 'number' && typeof right === 'number'
  return areNumbers ? Object.is(left, right) : compareValues(type, left, right) === 0
}

const FOLDER_PART_LENGTH_MAX = 100
const CALENDAR_LEVELS = ['year', 'month', 'day', 'hour'] as const

type CalendarLevel = (typeof CALENDAR_LEVELS)[number]

/**
 * Hive-style folder, without leading or trailing slash: `year=2024/month=03/day=17/region=north`;
 * empty for an unpartitioned table. A day becomes three folders unless that would name a folder
 * twice.
 */
export function partitionFolder(
  spec: PartitionSpec,
  schema: Schema,
  values: readonly (Value | null)[],
): string {
  const splitField = fieldToSplit(spec)
  const folders = spec.fields.flatMap((field, index) => {
    const value = values[index] ?? null
    if (field.transform.kind === 'void') return []
    const type = findPathToField(schema.fields, field.sourceId)?.at(-1)?.type
    const sourceType: PrimitiveType =
      type === undefined || isNested(type) ? { kind: 'unknown' } : type
    if (field === splitField) return calendarFolders(field, value)
    const text = value === null ? null : transformToHuman(field.transform, sourceType, value)
    return [folder(field.name, text)]
  })
  return folders.join('/')
}

/** The only calendar field, if no other field has the name of one of its levels. */
function fieldToSplit({ fields }: PartitionSpec): PartitionField | undefined {
  const [first, second] = fields.filter((field) => isLevel(field.transform.kind))
  if (first === undefined || second !== undefined) return undefined
  const isClear = fields.every((field) => field === first || !isLevel(field.name.toLowerCase()))
  return isClear ? first : undefined
}

function isLevel(word: string): word is CalendarLevel {
  return CALENDAR_LEVELS.some((level) => level === word)
}

function calendarFolders({ transform }: PartitionField, value: Value | null): readonly string[] {
  const depth = CALENDAR_LEVELS.indexOf(transform.kind as CalendarLevel) + 1
  const levels = CALENDAR_LEVELS.slice(0, depth)
  if (value === null) return levels.map((level) => folder(level, null))
  const parts = calendarParts(transform.kind, value as number)
  return levels.map((level, index) => folder(level, parts[index] ?? null))
}

function calendarParts(kind: string, value: number): readonly string[] {
  switch (kind) {
    case 'year':
      return [yearText(value + 1970)]
    case 'month': {
      const year = Math.floor(value / 12)
      return [yearText(year + 1970), twoDigits(value - year * 12 + 1)]
    }
    case 'day':
      return dayParts(value)
    default: {
      const days = Math.floor(value / 24)
      return [...dayParts(days), twoDigits(value - days * 24)]
    }
  }
}

function dayParts(days: number): readonly string[] {
  const { year, month, day } = civilFromDays(days)
  return [yearText(year), twoDigits(month), twoDigits(day)]
}

function folder(name: string, value: string | null): string {
  return `${safePart(name)}=${value === null ? NULL_FOLDER : safePart(value)}`
}

function safePart(text: string): string {
  return text.slice(0, FOLDER_PART_LENGTH_MAX).replaceAll(/[^A-Za-z0-9_.-]/gu, '_')
}
