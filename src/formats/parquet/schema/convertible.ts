import { isNested, type Type } from '../../../core/value/type.ts'
import type { ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import { leafTypeOf } from './leaf-type.ts'

/** Whole numbers up to this are doubles exactly. */
const EXACT_DOUBLE_MAX = 2n ** 53n

/** Types of the table that a type of the file is converted to, value by value. */
const TARGETS: Readonly<Record<string, readonly Type['kind'][]>> = {
  boolean: ['int'],
  int: ['double', 'decimal'],
  long: ['int', 'double', 'decimal'],
  uint64: ['int', 'long', 'decimal'],
  float: ['int', 'long'],
  double: ['int', 'long'],
  decimal: ['decimal'],
  date: ['timestamp'],
}

/**
 * Whether the engine can write a column as one of the table's type, although no reader of Iceberg
 * would take it for one: every value exactly, or the file is refused. Data frames have such columns
 * by chance: no value at all (NULL), only whole numbers, or missing ones among them (doubles).
 */
export function isConvertible(footer: ParquetFooter, leaf: ParquetLeaf, table: Type): boolean {
  if (isNullLeaf(leaf)) return !['unknown', 'variant', 'opaque'].includes(table.kind)
  if (isNested(table)) return false
  if (leaf.annotation?.kind === 'FLOAT16') return ['float', 'double'].includes(table.kind)
  const leafType = leafTypeOf(leaf)
  if ('unsupported' in leafType) return false
  const from = leafType.form === 'uint64' ? 'uint64' : leafType.type.kind
  if (TARGETS[from]?.includes(table.kind) !== true) return false
  // The engine rounds these, as a change of the column's type does.
  return from !== 'long' || table.kind !== 'double' || areExactDoubles(footer, leaf)
}

/** What writers make of a column without any value. */
export function isNullLeaf({ annotation }: ParquetLeaf): boolean {
  return annotation?.kind === 'NULL'
}

function areExactDoubles({ rowGroups }: ParquetFooter, { leafIndex }: ParquetLeaf): boolean {
  return rowGroups.every(({ columns }) => {
    const { valueCount, statistics } = columns[leafIndex] ?? {}
    if (valueCount === 0 || statistics?.nullCount === valueCount) return true
    return [statistics?.minValue, statistics?.maxValue].every(isExactDouble)
  })
}

function isExactDouble(bytes: Uint8Array | undefined): boolean {
  if (bytes?.length !== 8) return false
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true)
  return -EXACT_DOUBLE_MAX <= value && value <= EXACT_DOUBLE_MAX
}
