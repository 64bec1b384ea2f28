import { type ColumnNames, nameMappingOf } from '../../core/schema/name-mapping.ts'
import { readNameMapping } from '../../core/schema/name-mapping-property.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import { readAliases } from '../../core/table-properties.ts'
import type { Schema } from '../../core/value/type.ts'

/** A scan asks for each of its files. */
const NAMES_BY_SCHEMA = new WeakMap<TableDefinition, WeakMap<Schema, ColumnNames>>()

/**
 * How columns of files without field ids are found: by the table's mapping alone, as engines do;
 * where it has none, by its own names.
 */
export function columnNames(definition: TableDefinition, schema: Schema): ColumnNames {
  const bySchema = NAMES_BY_SCHEMA.get(definition) ?? new WeakMap<Schema, ColumnNames>()
  NAMES_BY_SCHEMA.set(definition, bySchema)
  const known = bySchema.get(schema) ?? readColumnNames(definition, schema)
  bySchema.set(schema, known)
  return known
}

function readColumnNames(definition: TableDefinition, schema: Schema): ColumnNames {
  const mapping = readNameMapping(definition.properties)
  if (mapping !== undefined) return { mapping, isGuessed: false }
  const guessed = nameMappingOf(schema, readAliases(definition.properties))
  return { mapping: guessed, isGuessed: true }
}
