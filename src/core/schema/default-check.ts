import { findValueFromJson } from '../value/single-value.ts'
import { type Field, isNested, type NestedType, type Type, typeName } from '../value/type.ts'
import { nestedDefault } from './nested-default.ts'

/** Types whose columns must default to null (Iceberg spec, "Default values"). */
const NULL_ONLY: ReadonlySet<string> = new Set(['unknown', 'variant', 'opaque'])

/**
 * Why no reader could make a value of a field's default, so that no dump meets it; `undefined` if
 * it is one.
 */
export function defaultProblem({ type, initialDefault, writeDefault }: Field): string | undefined {
  for (const json of [initialDefault, writeDefault]) {
    const problem = isNull(json) ? undefined : problemOf(type, json)
    if (problem !== undefined) return problem
  }
  return undefined
}

function isNull(json: unknown): json is null | undefined {
  return json === undefined || json === null
}

function problemOf(type: Type, json: unknown): string | undefined {
  if (NULL_ONLY.has(type.kind)) return `a default of type ${typeName(type)} must be null`
  if (type.kind === 'struct') {
    if (typeof json === 'object' && json !== null && Object.keys(json).length > 0) {
      return 'that of a struct is null or {}; its members have their own'
    }
  }
  return isValue(type, json) ? undefined : `it is not a JSON value of type ${typeName(type)}`
}

function isValue(type: Type, json: unknown): boolean {
  if (json === null) return true
  if (isNested(type)) return isNestedValue(type, json)
  const value = findValueFromJson(type, json)
  // A number beyond what the type holds is read as infinite.
  return value !== undefined && (typeof json !== 'number' || Number.isFinite(Number(value)))
}

function isNestedValue(type: NestedType, json: unknown): boolean {
  const value = nestedDefault(type, json)
  switch (value?.kind) {
    case undefined:
      return false
    case 'struct':
      return [...value.members].every(([id, member]) => isMember(type, id, member))
    case 'list':
      return value.items.every((item) => isValue(value.element, item))
    case 'map':
      return value.entries.every(
        ([key, item]) => key !== null && isValue(value.key, key) && isValue(value.value, item),
      )
  }
}

function isMember(type: NestedType, id: number, json: unknown): boolean {
  const field = type.kind === 'struct' ? type.fields.find((each) => each.id === id) : undefined
  return field !== undefined && isValue(field.type, json)
}
