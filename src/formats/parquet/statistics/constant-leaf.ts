import type { FileStatistics } from '../../../core/file/file-statistics.ts'
import { partitionOf } from '../../../core/partition/partition-values.ts'
import type { PrimitiveType } from '../../../core/value/type.ts'
import { compareBytes, type Value } from '../../../core/value/value.ts'
import type { ColumnChunk, ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import { leafTypeOf } from '../schema/leaf-type.ts'
import { columnBoundsSteps } from './column-bounds.ts'

const FIELD_ID = 1
const SPEC = {
  specId: 0,
  fields: [
    { fieldId: 1000, sourceId: FIELD_ID, name: '', transform: { kind: 'identity' as const } },
  ],
}

/**
 * Whether statistics prove that a column outside lists has this value, and no other, in every row.
 * In steps, with pauses for others.
 */
export function* constantLeafSteps(
  { rowCount, rowGroups, createdBy }: ParquetFooter,
  { leaf, type }: { readonly leaf: ParquetLeaf; readonly type: PrimitiveType },
  value: Value | null,
): Generator<void, boolean> {
  const leafType = leafTypeOf(leaf)
  if (rowCount === 0) return true
  if ('unsupported' in leafType) return false
  const chunks = rowGroups.map((group) => group.columns[leaf.leafIndex] as ColumnChunk)
  const column = { leaf, leafType, tableType: type, chunks, createdBy }
  const { lower, upper } = yield* columnBoundsSteps(column)
  const nulls = nullCountOf(chunks)
  const statistics: FileStatistics = {
    recordCount: rowCount,
    specId: 0,
    partition: () => [],
    valueCount: () => rowCount,
    nullCount: () => nulls,
    nanCount: () => undefined,
    lowerBound: () => lower,
    upperBound: () => upper,
  }
  const field = { id: FIELD_ID, name: '', required: false, type }
  const schema = { schemaId: 0, fields: [field], identifierFieldIds: [] }
  const outcome = partitionOf({ spec: SPEC, schema, statistics })
  return outcome.outcome === 'single' && isSame(outcome.values[0] ?? null, value)
}

function nullCountOf(chunks: readonly ColumnChunk[]): number | undefined {
  let sum = 0
  for (const { valueCount, statistics } of chunks) {
    const nulls = valueCount === 0 ? 0 : statistics?.nullCount
    if (nulls === undefined) return undefined
    sum += nulls
  }
  return sum
}

function isSame(left: Value | null, right: Value | null): boolean {
  if (left instanceof Uint8Array) {
    return right instanceof Uint8Array && compareBytes(left, right) === 0
  }
  // A narrower column has numbers where a wider one has bigints.
  if (typeof left === 'bigint' && right !== null) return String(left) === String(right)
  return Object.is(left, right)
}
