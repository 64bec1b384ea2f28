import { corrupt } from '../corrupt.ts'
import type { AvroCursor } from './avro-cursor.ts'
import { type AvroRecord, type AvroType, unwrapOptional } from './avro-schema.ts'

/** Reads exactly one value. */
export type Read<T> = (cursor: AvroCursor) => T
/** Returns a reader for a field of the writer's type. */
export type ReaderOf<T> = (type: AvroType) => Read<T>

export const integer: ReaderOf<number> = (type) => {
  expectKind(type, ['int', 'long'])
  return (cursor) => cursor.readInteger()
}

export const long: ReaderOf<bigint> = (type) => {
  expectKind(type, ['int', 'long'])
  return (cursor) => cursor.readLong()
}

export const boolean: ReaderOf<boolean> = (type) => {
  expectKind(type, ['boolean'])
  return (cursor) => cursor.readBoolean()
}

export const text: ReaderOf<string> = (type) => {
  expectKind(type, ['string', 'bytes'])
  return (cursor) => cursor.readString()
}

/** Reads bytes as a copy, which does not keep the file in memory. */
export const bytes: ReaderOf<Uint8Array> = (type) => {
  if (type.kind === 'fixed') return (cursor) => cursor.readFixed(type.size).slice()
  expectKind(type, ['bytes', 'string'])
  return (cursor) => cursor.readBytes().slice()
}

/** Reads null as `undefined`, whether or not the writer's type allows null. */
export function optionally<T>(readerOf: ReaderOf<T>): ReaderOf<T | undefined> {
  return (declared) => {
    if (declared.kind === 'null') return () => undefined
    const { type, nullIndex } = unwrapOptional(declared)
    const read = readerOf(type)
    if (nullIndex < 0) return declared.kind === 'union' ? only(read) : read
    return (cursor) => (isNull(cursor, nullIndex) ? undefined : read(cursor))
  }
}

/** Reads a value that must not be null, even if the writer's type is optional. */
export function mandatory<T>(readerOf: ReaderOf<T>): ReaderOf<T> {
  return (type) => {
    if (type.kind !== 'union') return readerOf(type)
    const read = optionally(readerOf)(type)
    return (cursor) => {
      const value = read(cursor)
      if (value === undefined) throw corrupt('Avro null where a value belongs')
      return value
    }
  }
}

/** Reads an array of at most so many items, which is checked before any more are read. */
export function list<T>(
  readerOf: ReaderOf<T>,
  { itemsMax = Number.POSITIVE_INFINITY }: { readonly itemsMax?: number } = {},
): ReaderOf<readonly T[]> {
  return (type) => {
    if (type.kind !== 'array') throw unexpected(type)
    const read = mandatory(readerOf)(type.items)
    return (cursor) => {
      const items: T[] = []
      for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
        if (items.length + count > itemsMax) throw corrupt(`Avro array of more than ${itemsMax}`)
        for (let i = 0; i < count; i++) items.push(read(cursor))
      }
      return items
    }
  }
}

/** Reads the known fields of a record by id, and skips the others. */
export function record(known: ReadonlyMap<number, ReaderOf<unknown>>): ReaderOf<FieldValues> {
  return (type) => {
    if (type.kind !== 'record') throw unexpected(type)
    const skips = new SkipCompiler()
    const steps = type.fields.map(({ id, type: fieldType }) => {
      const readerOf = id === undefined ? undefined : known.get(id)
      return readerOf === undefined
        ? { id: -1, read: skips.skipOf(fieldType) }
        : { id: id as number, read: readerOf(fieldType) }
    })
    return (cursor) => {
      const values = new Map<number, unknown>()
      for (const { id, read } of steps) {
        const value = read(cursor)
        if (id >= 0 && value !== undefined) values.set(id, value)
      }
      return values
    }
  }
}

/** Values by field id. Fields that the writer lacks or left null are absent. */
export type FieldValues = ReadonlyMap<number, unknown>

/**
 * Reads a union's index and returns whether it is the null branch. Other indexes than 0 and 1 are
 * refused.
 */
export function isNull(cursor: AvroCursor, nullIndex: number): boolean {
  const index = cursor.readInteger()
  if (index !== 0 && index !== 1) throw corrupt(`Avro union has no branch ${index}`)
  return index === nullIndex
}

function only<T>(read: Read<T>): Read<T> {
  return (cursor) => {
    const index = cursor.readInteger()
    if (index !== 0) throw corrupt(`Avro union has no branch ${index}`)
    return read(cursor)
  }
}

const SKIP_NOTHING: Read<void> = () => {}

/** Compiles types to functions that skip a value and check it on the way. */
export class SkipCompiler {
  // A named type may occur many times, but is compiled once.
  readonly #compiled = new Map<AvroType, Read<void>>()
  readonly #minimumBytes = new Map<AvroType, number>()

  skipOf(type: AvroType): Read<void> {
    let skip = this.#compiled.get(type)
    if (skip === undefined) {
      skip = this.minimumBytes(type) === 0 ? SKIP_NOTHING : this.#compile(type)
      this.#compiled.set(type, skip)
    }
    return skip
  }

  /** Least size of a value; 0 only for types whose values are always empty. */
  minimumBytes(type: AvroType): number {
    let minimum = this.#minimumBytes.get(type)
    if (minimum === undefined) {
      minimum = this.#computeMinimumBytes(type)
      this.#minimumBytes.set(type, minimum)
    }
    return minimum
  }

  #computeMinimumBytes(type: AvroType): number {
    switch (type.kind) {
      case 'null':
        return 0
      case 'float':
        return 4
      case 'double':
        return 8
      case 'fixed':
        return type.size
      case 'record':
        return type.fields.reduce((sum, field) => sum + this.minimumBytes(field.type), 0)
      default:
        return 1
    }
  }

  #compile(type: AvroType): Read<void> {
    switch (type.kind) {
      case 'int':
      case 'long':
      case 'enum':
        return (cursor) => cursor.skipInteger()
      case 'bytes':
      case 'string':
        return (cursor) => cursor.skipBytes()
      case 'record':
        return this.#compileRecord(type)
      case 'array':
        return skipItems(this.skipOf(type.items))
      case 'map':
        return skipItems(inSequence([(cursor) => cursor.skipBytes(), this.skipOf(type.values)]))
      case 'union':
        return skipBranch(type.branches.map((branch) => this.skipOf(branch)))
      default: {
        const length = type.kind === 'boolean' ? 1 : this.minimumBytes(type)
        return (cursor) => cursor.skip(length)
      }
    }
  }

  #compileRecord({ fields }: AvroRecord): Read<void> {
    const [key, value] = fields
    if (key?.type.kind === 'int' && value !== undefined && fields.length === 2) {
      // The pairs of the metrics maps, which are most of a manifest.
      if (value.type.kind === 'bytes') return skipIntAndBytes
      if (value.type.kind === 'long') return skipIntAndLong
    }
    const skips = fields.map((field) => this.skipOf(field.type))
    return inSequence(skips.filter((skip) => skip !== SKIP_NOTHING))
  }
}

function skipIntAndBytes(cursor: AvroCursor): void {
  cursor.skipInteger()
  cursor.skipBytes()
}

function skipIntAndLong(cursor: AvroCursor): void {
  cursor.skipInteger()
  cursor.skipInteger()
}

function inSequence(skips: readonly Read<void>[]): Read<void> {
  return (cursor) => {
    for (const skip of skips) skip(cursor)
  }
}

function skipItems(skip: Read<void>): Read<void> {
  return (cursor) => {
    for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
      if (skip === SKIP_NOTHING) continue
      for (let i = 0; i < count; i++) skip(cursor)
    }
  }
}

function skipBranch(branches: readonly Read<void>[]): Read<void> {
  return (cursor) => {
    const index = cursor.readInteger()
    const skip = branches[index]
    if (skip === undefined) throw corrupt(`Avro union has no branch ${index}`)
    skip(cursor)
  }
}

function expectKind(type: AvroType, kinds: readonly AvroType['kind'][]): void {
  if (!kinds.includes(type.kind)) throw unexpected(type)
}

export function unexpected(type: AvroType): Error {
  return corrupt(`Avro type ${type.kind} where another belongs`)
}
