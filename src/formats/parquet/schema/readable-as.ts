import { type PrimitiveType, typeName } from '../../../core/value/type.ts'
import type { LeafType } from './leaf-type.ts'

/**
 * Whether engines can read a column of the file as the table's type: the same, or a narrower one.
 */
export function isReadableAs({ type: file, form }: LeafType, table: PrimitiveType): boolean {
  if (file.kind === 'decimal' && table.kind === 'decimal') {
    return file.scale === table.scale && file.precision <= table.precision
  }
  if (typeName(file) === typeName(table)) return true
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
