import { CatalogError } from '../errors.ts'
import { NAME_MAPPING_PROPERTY, type TableProperties } from '../table-properties.ts'
import { type NameMapping, nameMappingFromJson } from './name-mapping.ts'

/**
 * The table's own name mapping; `undefined` if it has none. Throws `table-property-invalid` if the
 * property is no mapping, as that of a table that was made elsewhere may be.
 */
export function readNameMapping(properties: TableProperties): NameMapping | undefined {
  const text = properties[NAME_MAPPING_PROPERTY]
  if (text === undefined) return undefined
  try {
    return nameMappingFromJson(JSON.parse(text))
  } catch (cause) {
    const problem = cause instanceof CatalogError ? cause.message : 'it is not JSON'
    throw new CatalogError(
      'table-property-invalid',
      `the table property ${NAME_MAPPING_PROPERTY} is no name mapping: ${problem}; set it again ` +
        'or remove it',
      { facts: { property: NAME_MAPPING_PROPERTY }, cause },
    )
  }
}
