import type { Field, Schema, Type } from '../../core/value/type.ts'

/**
 * The schema that a file of our own is held against. The engine has refused nulls where there must
 * be none, but calls every column optional, and the file alone proves the opposite for simple ones
 * only.
 */
export function withoutRequired(schema: Schema): Schema {
  return { ...schema, fields: schema.fields.map(optional) }
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
