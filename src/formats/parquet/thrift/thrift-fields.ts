import {
  findField,
  ThriftError,
  type ThriftList,
  type ThriftStruct,
  type ThriftValue,
} from './thrift.ts'

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
  return findItems(struct, id, { isItem: isStruct, plural: 'structs' })
}

export function getStructs(struct: ThriftStruct, id: number): readonly ThriftStruct[] {
  return present(findStructs(struct, id), id)
}

export function getByteStrings(struct: ThriftStruct, id: number): readonly Uint8Array[] {
  return present(findItems(struct, id, { isItem: isBytes, plural: 'strings' }), id)
}

export function findNumbers(struct: ThriftStruct, id: number): readonly number[] | undefined {
  return findItems(struct, id, { isItem: isNumber, plural: 'integers' })
}

/** The list itself, not a copy: it may have millions of items that nobody looks at. */
function findItems<Item extends ThriftValue>(
  struct: ThriftStruct,
  id: number,
  { isItem, plural }: { isItem(value: ThriftValue): value is Item; readonly plural: string },
): readonly Item[] | undefined {
  const values = findList(struct, id)?.values
  if (values === undefined || values.every(isItem)) return values
  throw new ThriftError(`field ${id} is not a list of ${plural}`)
}

function findList(struct: ThriftStruct, id: number): ThriftList | undefined {
  const value = findField(struct, id)
  if (value === undefined) return undefined
  if (typeof value === 'object' && 'values' in value && 'elementType' in value) return value
  throw new ThriftError(`field ${id} is not a list`)
}

function isStruct(value: ThriftValue): value is ThriftStruct {
  return typeof value === 'object' && 'fields' in value
}

function isBytes(value: ThriftValue): value is Uint8Array {
  return value instanceof Uint8Array
}

function isNumber(value: ThriftValue): value is number {
  return typeof value === 'number'
}

function present<T>(value: T | undefined, id: number): T {
  if (value === undefined) throw new ThriftError(`field ${id} is missing`)
  return value
}
