import { corrupt } from '../corrupt.ts'

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const

export type AvroPrimitiveName = (typeof PRIMITIVES)[number]

/** A writer's schema with resolved names. After that, names of types have no meaning. */
export type AvroType =
  | AvroPrimitive
  | { readonly kind: 'enum' }
  | AvroFixed
  | { readonly kind: 'record'; readonly fields: readonly AvroField[] }
  | { readonly kind: 'array'; readonly items: AvroType }
  | { readonly kind: 'map'; readonly values: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }

export interface AvroPrimitive {
  readonly kind: AvroPrimitiveName
  readonly logicalType?: string
}

export interface AvroFixed {
  readonly kind: 'fixed'
  /** In bytes. */
  readonly size: number
  readonly logicalType?: string
}

export interface AvroField {
  /** Iceberg's `field-id`; `undefined` if the writer gave none. */
  readonly id: number | undefined
  readonly name: string
  readonly type: AvroType
}

export type AvroRecord = Extract<AvroType, { kind: 'record' }>

const DEPTH_MAX = 64
/** Largest number of types in a schema: a table has at most some thousands of partition fields. */
const TYPES_MAX = 100_000
const FIXED_BYTES_MAX = 2 ** 31 - 1

type Json = Readonly<Record<string, unknown>>

/**
 * Reads a schema from JSON. Accepts types defined twice under one name and names that Avro forbids,
 * because other writers produce them; refuses types that contain themselves.
 */
export function parseAvroSchema(json: unknown): AvroType {
  return new SchemaParser().parse(json, 0)
}

/**
 * The branch of an optional value that is not null, and the index of null (-1 if it is not
 * optional).
 */
export function unwrapOptional(type: AvroType): { readonly type: AvroType; nullIndex: number } {
  if (type.kind !== 'union') return { type, nullIndex: -1 }
  const nullIndex = type.branches.findIndex((branch) => branch.kind === 'null')
  const others = type.branches.filter((branch) => branch.kind !== 'null')
  const [only] = others
  if (only === undefined || others.length !== 1 || type.branches.length > 2) {
    throw corrupt('Avro union of several types where one belongs')
  }
  return { type: only, nullIndex }
}

class SchemaParser {
  readonly #named = new Map<string, AvroType>()
  /** Levels below each type, also by name: code that walks the type recurses as deep. */
  readonly #heights = new Map<AvroType, number>()
  #types = 0

  parse(json: unknown, depth: number): AvroType {
    if (depth > DEPTH_MAX) throw corrupt('Avro schema with too many levels')
    if (++this.#types > TYPES_MAX) throw corrupt('Avro schema with too many types')
    if (typeof json === 'string') return this.#reference(json)
    if (Array.isArray(json)) {
      const branches = json.map((branch) => this.parse(branch, depth + 1))
      return this.#measured({ kind: 'union', branches }, branches)
    }
    return this.#definition(asObject(json), depth)
  }

  #reference(name: string): AvroType {
    const primitive = PRIMITIVES.find((kind) => kind === name)
    if (primitive !== undefined) return { kind: primitive }
    const type = this.#named.get(lastName(name))
    if (type === undefined) throw corrupt(`Avro schema names an unknown type ${quote(name)}`)
    return type
  }

  #definition(json: Json, depth: number): AvroType {
    switch (json['type']) {
      case 'record':
      case 'error':
        return this.#define(json, this.#record(json, depth))
      case 'enum':
        return this.#define(json, { kind: 'enum' })
      case 'fixed':
        return this.#define(json, withLogicalType({ kind: 'fixed', size: fixedSize(json) }, json))
      case 'array': {
        const items = this.parse(json['items'], depth + 1)
        return this.#measured({ kind: 'array', items }, [items])
      }
      case 'map': {
        const values = this.parse(json['values'], depth + 1)
        return this.#measured({ kind: 'map', values }, [values])
      }
      default:
        return this.#wrapped(json, depth)
    }
  }

  /** `{"type": <a type>, "logicalType": ...}`. */
  #wrapped(json: Json, depth: number): AvroType {
    const inner = this.parse(json['type'], depth + 1)
    return this.#measured(withLogicalType(inner, json), [inner])
  }

  #record(json: Json, depth: number): AvroType {
    const fields = this.#fields(json, depth)
    return this.#measured(
      { kind: 'record', fields },
      fields.map((field) => field.type),
    )
  }

  #measured(type: AvroType, parts: readonly AvroType[]): AvroType {
    let height = 0
    for (const part of parts) height = Math.max(height, (this.#heights.get(part) ?? 0) + 1)
    if (height > DEPTH_MAX) throw corrupt('Avro schema with too many levels')
    this.#heights.set(type, height)
    return type
  }

  #define(json: Json, type: AvroType): AvroType {
    if (typeof json['name'] === 'string') this.#named.set(lastName(json['name']), type)
    return type
  }

  #fields(json: Json, depth: number): readonly AvroField[] {
    const fields = json['fields']
    if (!Array.isArray(fields)) throw corrupt('Avro record without fields')
    return fields.map((field) => {
      const { name, type, 'field-id': id } = asObject(field)
      return {
        id: typeof id === 'number' ? id : undefined,
        name: String(name),
        type: this.parse(type, depth + 1),
      }
    })
  }
}

function withLogicalType(type: AvroType, { logicalType }: Json): AvroType {
  if (typeof logicalType !== 'string' || !canBeLogical(type)) return type
  return { ...type, logicalType }
}

function canBeLogical(type: AvroType): type is AvroPrimitive | AvroFixed {
  return !['record', 'enum', 'array', 'map', 'union'].includes(type.kind)
}

function fixedSize({ size }: Json): number {
  if (!Number.isInteger(size) || (size as number) < 0 || (size as number) > FIXED_BYTES_MAX) {
    throw corrupt(`Avro fixed type of size ${quote(String(size))}`)
  }
  return size as number
}

function asObject(json: unknown): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw corrupt('not an Avro schema')
  }
  return json as Json
}

// No writer of manifests uses two types of one name in different namespaces.
function lastName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
