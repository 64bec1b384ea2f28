import { CatalogError } from '../../core/errors.ts'
import { allFields } from '../../core/schema/schema-lookup.ts'
import type { Field, Schema, Type } from '../../core/value/type.ts'
import { typeName } from '../../core/value/type.ts'

/** Before any work: the engine has no form for these that Iceberg's readers take. */
export function requireWritable(schema: Schema): void {
  const field = allFields(schema).find(({ type }) => type.kind === 'fixed')
  if (field === undefined) return
  throw new CatalogError(
    'not-implemented',
    `${field.name}: files with ${typeName(field.type)} columns cannot be written here, only ` +
      'registered',
    { facts: { column: field.name } },
  )
}

/**
 * The schema that a file of our own is held against. The engine has refused nulls where there must
 * be none, but calls every column optional, and the file alone proves the opposite for simple ones
 * only.
 */
export function withoutRequired(schema: Schema): Schema {
  return { ...schema, fields: schema.fields.map(optional) }
}

/** The schema of a Parquet file that the engine wrote by a table's: it has no `fixed`. */
export function asEngineWrites(schema: Schema): Schema {
  return { ...schema, fields: schema.fields.map(unfixedField) }
}

function unfixedField(field: Field): Field {
  return { ...field, type: unfixed(field.type) }
}

function unfixed(type: Type): Type {
  switch (type.kind) {
    case 'fixed':
      return { kind: 'binary' }
    case 'struct':
      return { ...type, fields: type.fields.map(unfixedField) }
    case 'list':
      return { ...type, element: unfixed(type.element) }
    case 'map':
      return { ...type, key: unfixed(type.key), value: unfixed(type.value) }
    default:
      return type
  }
}

function optional(field: Field): Field {
  return { ...field, required: false, type: optionalWithin(field.type) }
}

function optionalWithin(type: Type): Type {
  switch (type.kind) {
    case 'struct':
      return { ...type, fields: type.fields.map(optional) }
    case 'list':
      return { ...type, elementRequired: false, element: optionalWithin(type.element) }
    case 'map':
      return {
        ...type,
        key: optionalWithin(type.key),
        valueRequired: false,
        value: optionalWithin(type.value),
      }
    default:
      return type
  }
}
