import type { ParquetFooter, ParquetLeaf } from '../footer/footer-model.ts'
import type { FileField } from './file-field.ts'

/**
 * Whether the statistics prove that a column has no nulls. A struct has none if one of its columns,
 * outside lists, has none; for a list or map nothing is known.
 */
export function isNeverNull(footer: ParquetFooter, { shape }: FileField): boolean {
  if (footer.rowCount === 0) return true
  if (shape.kind === 'leaf') return hasNoNulls(footer, shape.leaf)
  if (shape.kind === 'struct') return shape.fields.some((field) => isNeverNull(footer, field))
  return false
}

function hasNoNulls(footer: ParquetFooter, leaf: ParquetLeaf): boolean {
  return footer.rowGroups.every((group) => {
    const column = group.columns[leaf.leafIndex]
    return column?.valueCount === 0 || column?.statistics?.nullCount === 0
  })
}
