import type { NameMapping } from '../../core/name-mapping.ts'
import type { Field } from '../../core/type.ts'
import { fieldsById, fieldsByName } from './field-resolution.ts'
import { fileFields } from './file-field.ts'
import type { ParquetFooter } from './footer-model.ts'

/**
 * The name that each top-level column of a table has in a file: found by the file's field ids when it has any, else by
 * the name mapping. A column that is absent from the answer is absent from the file. Other columns of the file count not.
 */
export function namesInFile(
  footer: ParquetFooter,
  fields: readonly Field[],
  nameMapping: NameMapping | undefined,
): ReadonlyMap<number, string> {
  const columns = fileFields(footer.root)
  const hasIds = columns.some((column) => column.fieldId !== undefined)
  const resolutions = hasIds
    ? fieldsById(columns, fields)
    : fieldsByName(columns, fields, nameMapping)
  const names = new Map<number, string>()
  for (const [index, resolution] of resolutions.entries()) {
    const name = columns[index]?.name
    if (resolution.outcome !== 'found' || name === undefined) continue
    if (!names.has(resolution.field.id)) names.set(resolution.field.id, name)
  }
  return names
}
