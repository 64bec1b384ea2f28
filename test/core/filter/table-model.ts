import fc from 'fast-check'
import type { PartitionFieldSummary } from '../../../src/core/file/data-file.ts'
import type { FileStatistics } from '../../../src/core/file/file-statistics.ts'
import type { PartitionSpec } from '../../../src/core/partition/partition-spec.ts'
import {
  applyTransform,
  canTransform,
  parseTransform,
  type Transform,
  transformResultType,
} from '../../../src/core/partition/transform.ts'
import { encodeSingleValue } from '../../../src/core/value/single-value.ts'
import type { PrimitiveType } from '../../../src/core/value/type.ts'
import { compareValues, type Value } from '../../../src/core/value/value.ts'
import { COLUMNS, type Row } from './filter-model.ts'

/**
 * Tables as honest writers leave them: partitioned rows, and metrics that may be missing or rough.
 */

const TRANSFORMS = [
  'identity',
  'void',
  'zorder',
  'bucket[3]',
  'truncate[1]',
  'truncate[2]',
  'truncate[10]',
  'year',
  'month',
  'day',
  'hour',
].map(parseTransform)

const PARTITION_FIELDS = fc.nat({ max: COLUMNS.length - 1 }).chain((index) => {
  const type = COLUMNS[index]?.type as PrimitiveType
  const fitting = TRANSFORMS.filter((t) => t.kind === 'unknown' || canTransform(t, type))
  return fc.constantFrom(...fitting).map((transform) => ({ sourceId: index + 1, transform }))
})

export const SPECS: fc.Arbitrary<PartitionSpec> = fc
  .array(PARTITION_FIELDS, { maxLength: 2 })
  .map((fields) => ({
    specId: 7,
    fields: fields.map((field, i) => ({ ...field, fieldId: 1000 + i, name: `p${i}` })),
  }))

export interface ModelFile {
  readonly rows: readonly Row[]
  readonly statistics: FileStatistics
}

function transformed(transform: Transform, index: number, row: Row): Value | null {
  if (transform.kind === 'unknown') return null
  return applyTransform(transform, COLUMNS[index]?.type as PrimitiveType, row[index] ?? null)
}

/** `whims` says which metrics are missing or rough; any sequence of numbers will do. */
export function writeFiles(
  rows: readonly Row[],
  spec: PartitionSpec,
  whims: () => number,
): readonly ModelFile[] {
  const groups = new Map<string, { partition: (Value | null)[]; rows: Row[] }>()
  for (const row of rows) {
    const partition = spec.fields.map((f) => transformed(f.transform, f.sourceId - 1, row))
    const key = partition.map((v) => `${typeof v}:${Object.is(v, -0) ? '-0' : v}`).join('|')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { partition, rows: [row] })
    else group.rows.push(row)
  }
  return [...groups.values()].map((group) => ({
    rows: group.rows,
    statistics: statisticsOf(group.rows, { partition: group.partition, spec, whims }),
  }))
}

interface Metrics {
  readonly valueCount: number | undefined
  readonly nullCount: number | undefined
  readonly nanCount: number | undefined
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
}

function statisticsOf(
  rows: readonly Row[],
  file: { partition: readonly (Value | null)[]; spec: PartitionSpec; whims: () => number },
): FileStatistics {
  const metrics = COLUMNS.map(({ type }, i) =>
    metricsOf(
      rows.map((row) => row[i] ?? null),
      type,
      file.whims,
    ),
  )
  return {
    recordCount: rows.length,
    specId: file.spec.specId,
    partition: () => file.partition,
    valueCount: (id) => metrics[id - 1]?.valueCount,
    nullCount: (id) => metrics[id - 1]?.nullCount,
    nanCount: (id) => metrics[id - 1]?.nanCount,
    lowerBound: (id) => metrics[id - 1]?.lower,
    upperBound: (id) => metrics[id - 1]?.upper,
  }
}

function metricsOf(
  values: readonly (Value | null)[],
  type: PrimitiveType,
  whims: () => number,
): Metrics {
  const present = values.filter((v): v is Value => v !== null)
  const ordered = present
    .filter((v) => !Number.isNaN(v))
    .toSorted((a, b) => compareValues(type, a, b))
  const sometimes = <T>(value: T): T | undefined => (whims() % 5 === 0 ? undefined : value)
  const [least, most] = [ordered[0], ordered.at(-1)]
  return {
    valueCount: sometimes(values.length),
    nullCount: sometimes(values.length - present.length),
    nanCount: sometimes(present.length - ordered.length),
    lower: least === undefined ? undefined : sometimes(bound(type, least, [-1, whims])),
    upper: most === undefined ? undefined : sometimes(bound(type, most, [1, whims])),
  }
}

function bound(
  type: PrimitiveType,
  value: Value,
  [side, whims]: [-1 | 1, () => number],
): Uint8Array | undefined {
  const isNarrow = typeof value === 'bigint' && BigInt.asIntN(32, value) === value
  if (type.kind === 'long' && isNarrow && whims() % 2 === 0) {
    return encodeSingleValue({ kind: 'int' }, Number(value))
  }
  if (typeof value === 'string' && whims() % 2 === 0) {
    const cut = cutText(Array.from(value), 1 + (whims() % 3), side)
    return cut === undefined ? undefined : encodeSingleValue(type, cut)
  }
  if (value instanceof Uint8Array && whims() % 2 === 0) {
    return cutBytes(value, 1 + (whims() % 2), side)
  }
  const isRough = whims() % 4 === 0
  if (isRough && typeof value === 'bigint' && value > -1000n && value < 1000n) {
    return encodeSingleValue(type, value + BigInt(side))
  }
  return encodeSingleValue(type, value)
}

function cutText(points: string[], length: number, side: -1 | 1): string | undefined {
  if (points.length <= length) return points.join('')
  const head = points.slice(0, length)
  if (side < 0) return head.join('')
  const last = head.pop()?.codePointAt(0) ?? 0
  return last >= 0x10ffff ? undefined : head.join('') + String.fromCodePoint(last + 1)
}

function cutBytes(bytes: Uint8Array, length: number, side: -1 | 1): Uint8Array | undefined {
  if (bytes.length <= length) return bytes
  const head = bytes.slice(0, length)
  if (side < 0) return head
  const last = head.at(-1) ?? 0
  if (last === 255) return undefined
  head[length - 1] = last + 1
  return head
}

/** The line of a manifest list for a manifest of these files. */
export function summariesOf(
  files: readonly ModelFile[],
  spec: PartitionSpec,
): readonly PartitionFieldSummary[] {
  return spec.fields.map(({ transform, sourceId }, i) => {
    const type = transformResultType(transform, COLUMNS[sourceId - 1]?.type as PrimitiveType)
    const values = files.map(({ statistics }) => statistics.partition()[i] ?? null)
    const ordered = values
      .filter((v): v is Value => v !== null && !Number.isNaN(v))
      .toSorted((a, b) => compareValues(type, a, b))
    const [least, most] = [ordered[0], ordered.at(-1)]
    return {
      containsNull: values.includes(null),
      ...(sourceId % 2 === 0 && { containsNan: values.some((v) => Number.isNaN(v)) }),
      ...(least !== undefined && { lowerBound: encodeSingleValue(type, least) }),
      ...(most !== undefined && { upperBound: encodeSingleValue(type, most) }),
    }
  })
}
