import { corrupt } from '../corrupt.ts'
import type { AvroCursor } from './avro-cursor.ts'
import { isNull, type Read, SkipCompiler, unexpected } from './avro-reader.ts'
import { type AvroField, type AvroType, unwrapOptional } from './avro-schema.ts'

export interface IntMapIds {
  readonly keyId: number
  readonly valueId: number
}

/**
 * A writer's layout of a `map<int, V>`: usually an array of pairs, because keys of Avro's own maps
 * are strings. It never allocates; the cursor points to a value.
 */
export class AvroIntMap {
  readonly #readItem: (cursor: AvroCursor) => void
  readonly #nullIndex: number
  /** Key of the item read last. */
  #key = 0
  #valueAt = 0

  /** `valueKinds` are the Avro types allowed for a value. */
  constructor(type: AvroType, ids: IntMapIds, valueKinds: readonly AvroType['kind'][]) {
    const { item, value } = this.#itemOf(type, ids)
    this.#readItem = item
    const unwrapped = unwrapOptional(value)
    if (!valueKinds.includes(unwrapped.type.kind)) throw unexpected(unwrapped.type)
    if (value.kind === 'union' && unwrapped.nullIndex < 0) throw unexpected(value)
    this.#nullIndex = unwrapped.nullIndex
  }

  /**
   * Moves the cursor from the map's start to the value. Returns false, with the cursor anywhere, if
   * there is none.
   */
  find(cursor: AvroCursor, key: number): boolean {
    for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
      for (let i = 0; i < count; i++) {
        this.#readItem(cursor)
        if (this.#key === key) return this.#moveToValue(cursor)
      }
    }
    return false
  }

  /** Calls `visit` with the cursor at each value that is not null. */
  forEach(cursor: AvroCursor, visit: (key: number) => void): void {
    for (let count = cursor.readItemCount(); count > 0; count = cursor.readItemCount()) {
      for (let i = 0; i < count; i++) {
        this.#readItem(cursor)
        const end = cursor.position
        if (this.#moveToValue(cursor)) visit(this.#key)
        cursor.position = end
      }
    }
  }

  #moveToValue(cursor: AvroCursor): boolean {
    cursor.position = this.#valueAt
    return this.#nullIndex < 0 || !isNull(cursor, this.#nullIndex)
  }

  #itemOf(type: AvroType, ids: IntMapIds): { item: Read<void>; value: AvroType } {
    if (type.kind === 'map') return this.#mapItem(type.values)
    if (type.kind !== 'array' || type.items.kind !== 'record') throw unexpected(type)
    return this.#pairItem(type.items.fields, ids)
  }

  #mapItem(values: AvroType): { item: Read<void>; value: AvroType } {
    const skip = new SkipCompiler().skipOf(values)
    const item = (cursor: AvroCursor) => {
      this.#key = Number(cursor.readString())
      if (!Number.isInteger(this.#key)) throw corrupt('Avro map whose keys are not field ids')
      this.#valueAt = cursor.position
      skip(cursor)
    }
    return { item, value: values }
  }

  #pairItem(
    fields: readonly AvroField[],
    { keyId, valueId }: IntMapIds,
  ): { item: Read<void>; value: AvroType } {
    const key = fields.find((field) => field.id === keyId) ?? fields.find((f) => f.name === 'key')
    const value =
      fields.find((field) => field.id === valueId) ?? fields.find((f) => f.name === 'value')
    if (key === undefined || value === undefined || key === value) {
      throw corrupt('Avro pairs without a key or a value')
    }
    if (key.type.kind !== 'int' && key.type.kind !== 'long') throw unexpected(key.type)
    return { item: this.#readPair(fields, key, value), value: value.type }
  }

  #readPair(fields: readonly AvroField[], key: AvroField, value: AvroField): Read<void> {
    const skips = new SkipCompiler()
    const steps = fields.map((field): Read<void> => {
      const skip = skips.skipOf(field.type)
      if (field === key) {
        return (cursor) => {
          this.#key = cursor.readInteger()
        }
      }
      if (field !== value) return skip
      return (cursor) => {
        this.#valueAt = cursor.position
        skip(cursor)
      }
    })
    return (cursor) => {
      for (const step of steps) step(cursor)
    }
  }
}
