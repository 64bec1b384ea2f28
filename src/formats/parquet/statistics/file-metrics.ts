import type { ColumnMetrics } from '../../../core/file/data-file.ts'
import { isRowIdField } from '../../../core/file/row-id-fields.ts'
import type { PrimitiveType, Schema, Type } from '../../../core/value/type.ts'
import type { ColumnChunk, ParquetFooter } from '../footer/footer-model.ts'
import { leafTypeOf } from '../schema/leaf-type.ts'
import type { FileSchemaMatch } from '../schema/schema-match.ts'
import { type BoundedColumn, columnBoundsSteps } from './column-bounds.ts'

/** Metrics of a file for its manifest entry, from the footer alone. */
export interface FileMetrics extends ColumnMetrics {
  readonly recordCount: number
  readonly columnSizes: ReadonlyMap<number, number>
  readonly valueCounts: ReadonlyMap<number, number>
  readonly nullValueCounts: ReadonlyMap<number, number>
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>
  readonly upperBounds: ReadonlyMap<number, Uint8Array>
  /** Starts of the row groups, ascending; absent if there are none. */
  readonly splitOffsets?: readonly number[]
}

/**
 * Metrics by field id of the table, with bounds in the table's types. As in Iceberg, fields inside
 * a list or map have counts but no bounds. A Parquet footer has no NaN counts. Columns of row ids
 * have none of either. In steps, with pauses for others.
 */
export function* fileMetricsSteps(
  footer: ParquetFooter,
  match: FileSchemaMatch,
  schema: Schema,
): Generator<void, FileMetrics> {
  const counts = {
    columnSizes: new Map<number, number>(),
    valueCounts: new Map<number, number>(),
    nullValueCounts: new Map<number, number>(),
    lowerBounds: new Map<number, Uint8Array>(),
    upperBounds: new Map<number, Uint8Array>(),
  }
  for (const column of matchedColumns(footer, match, schema)) {
    const { fieldId, chunks } = column
    yield
    counts.columnSizes.set(fieldId, total(chunks, 'compressedBytes'))
    counts.valueCounts.set(fieldId, total(chunks, 'valueCount'))
    const nullCount = nullCountOf(chunks)
    if (nullCount !== undefined) counts.nullValueCounts.set(fieldId, nullCount)
    if (column.leaf.isRepeated) continue
    const { lower, upper } = yield* columnBoundsSteps(column)
    if (lower !== undefined) counts.lowerBounds.set(fieldId, lower)
    if (upper !== undefined) counts.upperBounds.set(fieldId, upper)
  }
  yield
  const splitOffsets = splitOffsetsOf(footer)
  return {
    recordCount: footer.rowCount,
    ...counts,
    ...(splitOffsets.length === 0 ? {} : { splitOffsets }),
  }
}

/** Least and greatest values of columns, by field id, whole and in binary single-value form. */
export interface ValueRanges {
  readonly least: ReadonlyMap<number, Uint8Array>
  readonly greatest: ReadonlyMap<number, Uint8Array>
}

/**
 * Ranges of the columns that a partition is decided by. Bounds are cut, and rounded away from the
 * values; these are not.
 */
export function* valueRangesSteps(
  footer: ParquetFooter,
  match: FileSchemaMatch,
  { schema, fieldIds }: { readonly schema: Schema; readonly fieldIds: ReadonlySet<number> },
): Generator<void, ValueRanges> {
  const [least, greatest] = [new Map<number, Uint8Array>(), new Map<number, Uint8Array>()]
  if (fieldIds.size === 0) return { least, greatest }
  for (const column of matchedColumns(footer, match, schema)) {
    if (!fieldIds.has(column.fieldId) || column.leaf.isRepeated) continue
    const { lower, upper } = yield* columnBoundsSteps(column, 'value')
    if (lower !== undefined) least.set(column.fieldId, lower)
    if (upper !== undefined) greatest.set(column.fieldId, upper)
  }
  return { least, greatest }
}

interface MatchedColumn extends BoundedColumn {
  readonly fieldId: number
}

function* matchedColumns(
  footer: ParquetFooter,
  match: FileSchemaMatch,
  schema: Schema,
): Generator<MatchedColumn> {
  const types = new Map<number, PrimitiveType>()
  for (const field of schema.fields) collectPrimitives(field.id, field.type, types)
  for (const leaf of footer.leaves) {
    const fieldId = match.fieldIds[leaf.leafIndex]
    if (fieldId !== undefined && isRowIdField(fieldId)) continue
    const tableType = fieldId === undefined ? undefined : types.get(fieldId)
    const leafType = leafTypeOf(leaf)
    if (fieldId === undefined || tableType === undefined || 'unsupported' in leafType) {
      throw new Error(`column ${leaf.path.join('.')} is not matched to the schema`)
    }
    const chunks = footer.rowGroups.map((group) => group.columns[leaf.leafIndex] as ColumnChunk)
    yield { fieldId, leaf, leafType, tableType, chunks, createdBy: footer.createdBy }
  }
}

function collectPrimitives(id: number, type: Type, types: Map<number, PrimitiveType>): void {
  switch (type.kind) {
    case 'struct':
      for (const field of type.fields) collectPrimitives(field.id, field.type, types)
      return
    case 'list':
      collectPrimitives(type.elementId, type.element, types)
      return
    case 'map':
      collectPrimitives(type.keyId, type.key, types)
      collectPrimitives(type.valueId, type.value, types)
      return
    default:
      types.set(id, type)
  }
}

/** Number of nulls; `undefined` if a row group does not say. */
function nullCountOf(chunks: readonly ColumnChunk[]): number | undefined {
  let nullCount = 0
  for (const { valueCount, statistics } of chunks) {
    if (valueCount === 0) continue
    if (statistics?.nullCount === undefined) return undefined
    nullCount += statistics.nullCount
  }
  return nullCount
}

function splitOffsetsOf(footer: ParquetFooter): readonly number[] {
  return footer.rowGroups
    .flatMap(({ fileOffset }) => (fileOffset === undefined ? [] : [fileOffset]))
    .sort((a, b) => a - b)
}

function total(chunks: readonly ColumnChunk[], of: 'compressedBytes' | 'valueCount'): number {
  return chunks.reduce((sum, chunk) => sum + chunk[of], 0)
}
