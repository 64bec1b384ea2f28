import {
  type Field,
  PLAIN_PRIMITIVES,
  type PlainPrimitiveName,
  type PrimitiveType,
  type Schema,
  type Type,
  typeName,
} from '../../core/value/type.ts'
import { JsonNode, type JsonObject, type JsonOrigin } from '../json/json-node.ts'

/** Writes a schema (Iceberg spec, Appendix C, "Schemas"). */
export function schemaToJson(schema: Schema): JsonObject {
  const { schemaId, identifierFieldIds, fields } = schema
  return {
    type: 'struct',
    'schema-id': schemaId,
    ...(identifierFieldIds.length > 0 && { 'identifier-field-ids': identifierFieldIds }),
    fields: fields.map(fieldToJson),
  }
}

/** The inverse of `schemaToJson`. A schema without an id (format version 1) has id 0. */
export function schemaFromJson(json: unknown, origin?: JsonOrigin): Schema {
  return readSchema(new JsonNode(json, origin))
}

export function readSchema(node: JsonNode): Schema {
  return {
    schemaId: node.find('schema-id')?.id() ?? 0,
    fields: readFields(node.get('fields')),
    identifierFieldIds:
      node
        .find('identifier-field-ids')
        ?.items()
        .map((id) => id.id()) ?? [],
  }
}

/** A string for a primitive type, else an object. */
export function typeToJson(type: Type): string | JsonObject {
  switch (type.kind) {
    case 'list':
      return {
        type: 'list',
        'element-id': type.elementId,
        element: typeToJson(type.element),
        'element-required': type.elementRequired,
      }
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: typeToJson(type.key),
        'value-id': type.valueId,
        value: typeToJson(type.value),
        'value-required': type.valueRequired,
      }
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldToJson) }
    case 'decimal':
      // With a space, like Iceberg's Java library.
      return `decimal(${type.precision}, ${type.scale})`
    default:
      return typeName(type)
  }
}

export function typeFromJson(json: unknown, origin?: JsonOrigin): Type {
  return readType(new JsonNode(json, origin))
}

function fieldToJson(field: Field): JsonObject {
  const { id, name, required, type, doc, initialDefault, writeDefault } = field
  return {
    id,
    name,
    required,
    type: typeToJson(type),
    ...(doc !== undefined && { doc }),
    ...(initialDefault !== undefined && { 'initial-default': initialDefault }),
    ...(writeDefault !== undefined && { 'write-default': writeDefault }),
  }
}

function readFields(node: JsonNode): readonly Field[] {
  return node.items().map(readField)
}

function readField(node: JsonNode): Field {
  const doc = node.find('doc')
  const initialDefault = node.find('initial-default')
  const writeDefault = node.find('write-default')
  return {
    id: node.get('id').id(),
    name: node.get('name').string(),
    required: node.get('required').boolean(),
    type: readType(node.get('type')),
    ...(doc !== undefined && { doc: doc.string() }),
    ...(initialDefault !== undefined && { initialDefault: initialDefault.value }),
    ...(writeDefault !== undefined && { writeDefault: writeDefault.value }),
  }
}

function readType(node: JsonNode): Type {
  if (!node.isObject()) return readPrimitive(node)
  switch (node.get('type').oneOf(['list', 'map', 'struct'])) {
    case 'list':
      return {
        kind: 'list',
        elementId: node.get('element-id').id(),
        elementRequired: node.get('element-required').boolean(),
        element: readType(node.get('element')),
      }
    case 'map':
      return {
        kind: 'map',
        keyId: node.get('key-id').id(),
        key: readType(node.get('key')),
        valueId: node.get('value-id').id(),
        valueRequired: node.get('value-required').boolean(),
        value: readType(node.get('value')),
      }
    case 'struct':
      return { kind: 'struct', fields: readFields(node.get('fields')) }
  }
}

const PLAIN = new Set<string>(PLAIN_PRIMITIVES)
const DECIMAL = /^decimal\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/
const FIXED = /^fixed\[\s*(\d{1,10})\s*\]$/
const DECIMAL_PRECISION_MAX = 38
const NAME_LENGTH_MAX = 1000

function readPrimitive(node: JsonNode): PrimitiveType {
  const name = node.string()
  if (name.length > NAME_LENGTH_MAX) throw node.error('a type with too long a name')
  if (PLAIN.has(name)) return { kind: name as PlainPrimitiveName }
  if (name.startsWith('decimal')) return readDecimal(node, name)
  if (name.startsWith('fixed')) return readFixed(node, name)
  return { kind: 'opaque', name }
}

function readDecimal(node: JsonNode, name: string): PrimitiveType {
  const match = DECIMAL.exec(name)
  const precision = Number(match?.[1])
  const scale = Number(match?.[2])
  // Negated, so that NaN, from text that does not match, is refused too.
  if (!(precision >= 1 && precision <= DECIMAL_PRECISION_MAX && scale <= precision)) {
    throw node.error(`${JSON.stringify(name)} is not a decimal type`)
  }
  return { kind: 'decimal', precision, scale }
}

function readFixed(node: JsonNode, name: string): PrimitiveType {
  const length = Number(FIXED.exec(name)?.[1])
  if (!(length >= 1 && length < 2 ** 31)) {
    throw node.error(`${JSON.stringify(name)} is not a fixed type`)
  }
  return { kind: 'fixed', length }
}
