import { findField, ThriftError, type ThriftList, type ThriftStruct } from './thrift.ts'

/** Typed access to a struct's fields. A field of the wrong type throws ThriftError. */

export function findNumber(struct: ThriftStruct, id: number): number | undefined {
  const value = findField(struct, id)
  if (value === undefined || typeof value === 'number') return value
  throw new ThriftError(`field ${id} is not an integer below 2^53`)
}

export function getNumber(struct: ThriftStruct, id: number): number {
  return present(findNumber(struct, id), id)
}

/** Reads a size, count or offset. */
export function getCount(struct: ThriftStruct, id: number): number {
  const value = getNumber(struct, id)
  if (value < 0) throw new ThriftError(`field ${id} is negative (${value})`)
  return value
}

export function findBoolean(struct: ThriftStruct, id: number): boolean | undefined {
  const value = findField(struct, id)
  if (value === undefined || typeof value === 'boolean') return value
  throw new ThriftError(`field ${id} is not a boolean`)
}

export function findBytes(struct: ThriftStruct, id: number): Uint8Array | undefined {
  const value = findField(struct, id)
  if (value === undefined || value instanceof Uint8Array) return value
  throw new ThriftError(`field ${id} is not binary`)
}

export function getBytes(struct: ThriftStruct, id: number): Uint8Array {
  return present(findBytes(struct, id), id)
}

export function findStruct(struct: ThriftStruct, id: number): ThriftStruct | undefined {
  const value = findField(struct, id)
  if (value === undefined) return undefined
  if (isStruct(value)) return value
  throw new ThriftError(`field ${id} is not a struct`)
}

export function getStruct(struct: ThriftStruct, id: number): ThriftStruct {
  return present(findStruct(struct, id), id)
}

export function findStructs(struct: ThriftStruct, id: number): readonly ThriftStruct[] | undefined {
  const list = findList(struct, id)
  if (list === undefined) return undefined
  return list.values.map((value) => {
    if (isStruct(value)) return value
    throw new ThriftError(`field ${id} is not a list of structs`)
  })
}

export function getStructs(struct: ThriftStruct, id: number): readonly ThriftStruct[] {
  return present(findStructs(struct, id), id)
}

export function getByteStrings(struct: ThriftStruct, id: number): readonly Uint8Array[] {
  return present(findList(struct, id), id).values.map((value) => {
    if (value instanceof Uint8Array) return value
    throw new ThriftError(`field ${id} is not a list of strings`)
  })
}

export function findNumbers(struct: ThriftStruct, id: number): readonly number[] | undefined {
  return findList(struct, id)?.values.map((value) => {
    if (typeof value === 'number') return value
    throw new ThriftError(`field ${id} is not a list of integers`)
  })
}

function findList(struct: ThriftStruct, id: number): ThriftList | undefined {
  const value = findField(struct, id)
  if (value === undefined) return undefined
  if (typeof value === 'object' && 'values' in value && 'elementType' in value) return value
  throw new ThriftError(`field ${id} is not a list`)
}

function isStruct(value: unknown): value is ThriftStruct {
  return typeof value === 'object' && value !== null && 'fields' in value
}

function present<T>(value: T | undefined, id: number): T {
  if (value === undefined) throw new ThriftError(`field ${id} is missing`)
  return value
}
