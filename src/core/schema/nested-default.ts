import type { MapType, NestedType, Type } from '../value/type.ts'

/** A JSON single value of a nested type, one level deep. */
export type NestedDefault =
  /** By field id; what is missing has the member's own default. */
  | { readonly kind: 'struct'; readonly members: ReadonlyMap<number, unknown> }
  | { readonly kind: 'list'; readonly element: Type; readonly items: readonly unknown[] }
  | {
      readonly kind: 'map'
      readonly key: Type
      readonly value: Type
      readonly entries: readonly (readonly [unknown, unknown])[]
    }

/**
 * Reads one level of a nested default (Iceberg spec, "JSON single-value serialization"): a struct
 * by field id, a map as its keys and its values. Returns `undefined` for other JSON.
 */
export function nestedDefault(type: NestedType, json: unknown): NestedDefault | undefined {
  switch (type.kind) {
    case 'struct':
      return isObject(json) ? structDefault(type.fields, json) : undefined
    case 'list':
      return Array.isArray(json) ? { kind: 'list', element: type.element, items: json } : undefined
    case 'map':
      return isObject(json) ? mapDefault(type, json) : undefined
  }
}

type JsonObject = Readonly<Record<string, unknown>>

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function structDefault(
  fields: readonly { readonly id: number }[],
  json: JsonObject,
): NestedDefault | undefined {
  const members = new Map(Object.entries(json).map(([id, value]) => [Number(id), value]))
  const isKnown = [...members.keys()].every((id) => fields.some((field) => field.id === id))
  return isKnown ? { kind: 'struct', members } : undefined
}

function mapDefault(
  { key, value }: MapType,
  { keys, values }: JsonObject,
): NestedDefault | undefined {
  if (!Array.isArray(keys) || !Array.isArray(values) || keys.length !== values.length) {
    return undefined
  }
  return { kind: 'map', key, value, entries: keys.map((each, i) => [each, values[i]] as const) }
}
