import { isRowIdField } from '../../../core/file/row-id-fields.ts'
import { type ColumnKnowledge, projectColumns } from '../../../core/schema/column-projection.ts'
import type { Field } from '../../../core/value/type.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { fileFields } from './file-field.ts'

/**
 * The names of a table's top-level columns in a file. A column not in the result is absent from the
 * file. Other columns of the file are ignored.
 */
export function namesInFile(
  footer: ParquetFooter,
  fields: readonly Field[],
  known: ColumnKnowledge,
): ReadonlyMap<number, string> {
  const columns = fileFields(footer.root)
  const found = projectColumns(columns, fields, known)
  return new Map([...found].map(([id, index]) => [id, columns[index]?.name ?? '']))
}

/** The same, and those of the columns of row ids, whose names in the table say nothing. */
export function namesWithRowIds(
  footer: ParquetFooter,
  fields: readonly Field[],
  known: ColumnKnowledge,
): ReadonlyMap<number, string> {
  const own = fields.filter(({ id }) => !isRowIdField(id))
  return new Map([...namesInFile(footer, own, known), ...rowIdNamesInFile(footer)])
}

/** The names of the columns of row ids that a file has, by field id: other names say nothing. */
export function rowIdNamesInFile({ root }: ParquetFooter): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const { fieldId, name, shape } of fileFields(root)) {
    if (fieldId === undefined || !isRowIdField(fieldId) || shape.kind !== 'leaf') continue
    names.set(fieldId, name)
  }
  return names
}
