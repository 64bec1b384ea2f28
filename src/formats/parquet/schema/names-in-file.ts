import type { NameMapping } from '../../../core/schema/name-mapping.ts'
import type { Field } from '../../../core/value/type.ts'
import type { ParquetFooter } from '../footer/footer-model.ts'
import { fieldsByName } from './field-resolution.ts'
import { type FileField, fileFields } from './file-field.ts'

/**
 * The names of a table's top-level columns in a file, found by the file's field ids if it has any,
 * else by the name mapping. A column not in the result is not in the file. Other columns of the
 * file are ignored.
 */
export function namesInFile(
  footer: ParquetFooter,
  fields: readonly Field[],
  nameMapping: NameMapping | undefined,
): ReadonlyMap<number, string> {
  const columns = fileFields(footer.root)
  const hasIds = columns.some((column) => column.fieldId !== undefined)
  return hasIds ? namesById(columns, fields) : namesByName(columns, fields, nameMapping)
}

/** Only ids count: two columns may have exchanged their names since the file was written. */
function namesById(
  columns: readonly FileField[],
  fields: readonly Field[],
): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const wanted = new Set(fields.map((field) => field.id))
  for (const { fieldId, name } of columns) {
    if (fieldId === undefined || !wanted.has(fieldId) || names.has(fieldId)) continue
    names.set(fieldId, name)
  }
  return names
}

function namesByName(
  columns: readonly FileField[],
  fields: readonly Field[],
  nameMapping: NameMapping | undefined,
): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const [index, resolution] of fieldsByName(columns, fields, nameMapping).entries()) {
    const name = columns[index]?.name
    if (resolution.outcome !== 'found' || name === undefined) continue
    if (!names.has(resolution.field.id)) names.set(resolution.field.id, name)
  }
  return names
}
