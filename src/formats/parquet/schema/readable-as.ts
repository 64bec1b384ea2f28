import { type PrimitiveType, typeName } from '../../../core/value/type.ts'
import type { LeafType } from './leaf-type.ts'

/**
 * Whether a column of the file has the table's very type. Parquet's nanoseconds are those of
 * `timestamp_ns`, and of files that count them under a type of microseconds.
 */
export function isExactly({ type: file, form }: LeafType, table: PrimitiveType): boolean {
  const [inFile, inTable] = [typeName(file), typeName(table)]
  return inFile === inTable || (form === 'nanos' && inTable === `${inFile}_ns`)
}

/**
 * Whether engines can read a column of the file as the table's type: the same, or a narrower one.
 */
export function isReadableAs(leafType: LeafType, table: PrimitiveType): boolean {
  const { type: file, form } = leafType
  if (file.kind === 'decimal' && table.kind === 'decimal') {
    return file.scale === table.scale && file.precision <= table.precision
  }
  if (isExactly(leafType, table)) return true
  switch (table.kind) {
    case 'long':
      return file.kind === 'int'
    case 'double':
      return file.kind === 'float'
    // INT96 has no time zone, and engines read it as either type.
    case 'timestamptz':
      return form === 'unusable'
    // Older writers of Iceberg itself left out the UUID annotation.
    case 'uuid':
      return file.kind === 'fixed' && file.length === 16
    default:
      return false
  }
}
