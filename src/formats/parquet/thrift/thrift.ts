/**
 * Thrift's compact protocol as a plain tree, lossless both ways: an unknown field survives reading
 * and writing. See thrift/doc/specs/thrift-compact-protocol.md.
 */
export const THRIFT = {
  TRUE: 1,
  FALSE: 2,
  BYTE: 3,
  I16: 4,
  I32: 5,
  I64: 6,
  DOUBLE: 7,
  BINARY: 8,
  LIST: 9,
  SET: 10,
  MAP: 11,
  STRUCT: 12,
  UUID: 13,
} as const

/** Integers beyond 2^53 are bigint; doubles and UUIDs are their raw bytes. */
export type ThriftValue =
  | boolean
  | number
  | bigint
  | Uint8Array
  | ThriftStruct
  | ThriftList
  | ThriftMap

export interface ThriftField {
  readonly id: number
  /** The wire type. For a boolean, the value decides between TRUE and FALSE. */
  readonly type: number
  readonly value: ThriftValue
}
export interface ThriftStruct {
  /** In the order of the file. */
  readonly fields: readonly ThriftField[]
}
export interface ThriftList {
  readonly elementType: number
  readonly values: readonly ThriftValue[]
}
export interface ThriftMap {
  readonly keyType: number
  readonly valueType: number
  readonly entries: readonly (readonly [ThriftValue, ThriftValue])[]
}

/** Thrown for bytes that are not a Thrift struct, or exceed the limits. */
export class ThriftError extends Error {}

export interface ThriftLimits {
  /** Depth of nested structs and lists. A Parquet footer needs about ten. */
  readonly depthMax: number
  /**
   * Number of fields and elements together. A Parquet footer has 20-30 for a column chunk, of
   * 50-100 bytes each.
   */
  readonly valuesMax: number
}
export const THRIFT_LIMITS: ThriftLimits = { depthMax: 32, valuesMax: 3_000_000 }

/** Fields of one struct, whose ids are looked for one by one: of Parquet it has up to twenty. */
export const FIELDS_MAX = 1_000

/** Reads one struct from the start of `bytes`. Binary values are views into `bytes`, not copies. */
export function readThriftStruct(
  bytes: Uint8Array,
  limits: ThriftLimits = THRIFT_LIMITS,
): { readonly struct: ThriftStruct; readonly lengthBytes: number } {
  const reader = new ThriftReader(bytes, limits)
  const struct = reader.struct(0)
  return { struct, lengthBytes: reader.position }
}

/** Reads values one after the other; `thrift-steps.ts` does with pauses what `struct` does. */
export class ThriftReader {
  position = 0
  readonly #bytes: Uint8Array
  readonly #depthMax: number
  #valuesLeft: number

  constructor(bytes: Uint8Array, limits: ThriftLimits) {
    this.#bytes = bytes
    this.#depthMax = limits.depthMax
    this.#valuesLeft = limits.valuesMax
  }

  struct(depth: number): ThriftStruct {
    this.enter(depth)
    const fields: ThriftField[] = []
    for (let header = this.header(0); header !== 0; header = this.header(header >> 4)) {
      const type = header & 15
      fields.push({ id: header >> 4, type, value: this.fieldValue(type, depth) })
      if (fields.length > FIELDS_MAX) throw new ThriftError('too many fields in a struct')
    }
    return { fields }
  }

  /** Id and type of the next field, as `id << 4 | type`; 0 at the end of the struct. */
  header(lastId: number): number {
    const byte = this.byte()
    if (byte === 0) return 0
    const delta = byte >> 4
    const id = delta === 0 ? this.#integer(16) : lastId + delta
    if (id > 0x7fff) throw new ThriftError('field id out of range')
    this.spend(1)
    return (id << 4) | (byte & 15)
  }

  enter(depth: number): void {
    if (depth > this.#depthMax) throw new ThriftError('nested too deeply')
  }

  fieldValue(type: number, depth: number): ThriftValue {
    if (type === THRIFT.TRUE) return true
    if (type === THRIFT.FALSE) return false
    return this.value(type, depth)
  }

  value(type: number, depth: number): ThriftValue {
    switch (type) {
      case THRIFT.TRUE:
      case THRIFT.FALSE:
        return this.byte() === 1
      case THRIFT.BYTE:
        return (this.byte() << 24) >> 24
      case THRIFT.I16:
        return this.#integer(16)
      case THRIFT.I32:
        return this.#integer(32)
      case THRIFT.I64:
        return this.#zigzag()
      case THRIFT.DOUBLE:
        return this.#take(8)
      case THRIFT.BINARY:
        return this.#take(this.length())
      case THRIFT.LIST:
      case THRIFT.SET:
        return this.#list(depth + 1)
      case THRIFT.MAP:
        return this.#map(depth + 1)
      case THRIFT.STRUCT:
        return this.struct(depth + 1)
      case THRIFT.UUID:
        return this.#take(16)
      default:
        throw new ThriftError(`unknown type ${type}`)
    }
  }

  #list(depth: number): ThriftList {
    this.enter(depth)
    const { elementType, count } = this.listHead()
    const values: ThriftValue[] = []
    for (let i = 0; i < count; i++) values.push(this.value(elementType, depth))
    return { elementType, values }
  }

  listHead(): { readonly elementType: number; readonly count: number } {
    const header = this.byte()
    const short = header >> 4
    const count = short === 15 ? this.length() : short
    this.spend(count)
    return { elementType: header & 15, count }
  }

  #map(depth: number): ThriftMap {
    this.enter(depth)
    const { keyType, valueType, count } = this.mapHead()
    const entries: [ThriftValue, ThriftValue][] = []
    for (let i = 0; i < count; i++) {
      entries.push([this.value(keyType, depth), this.value(valueType, depth)])
    }
    return { keyType, valueType, entries }
  }

  mapHead(): { readonly keyType: number; readonly valueType: number; readonly count: number } {
    const count = this.length()
    if (count === 0) return { keyType: 0, valueType: 0, count }
    this.spend(2 * count)
    const types = this.byte()
    return { keyType: types >> 4, valueType: types & 15, count }
  }

  spend(values: number): void {
    this.#valuesLeft -= values
    if (this.#valuesLeft < 0) throw new ThriftError('too many values')
  }

  byte(): number {
    const byte = this.#bytes[this.position]
    if (byte === undefined) throw new ThriftError('ends too early')
    this.position++
    return byte
  }

  #take(length: number): Uint8Array {
    const end = this.position + length
    if (end > this.#bytes.length) throw new ThriftError('ends too early')
    const taken = this.#bytes.subarray(this.position, end)
    this.position = end
    return taken
  }

  /**
   * Reads a count or a length. No element takes less than a byte, so the remaining bytes limit it.
   */
  length(): number {
    const length = this.#varint()
    if (length > this.#bytes.length - this.position) throw new ThriftError('length beyond the end')
    return Number(length)
  }

  #integer(bits: 16 | 32): number {
    const value = this.#zigzag()
    const limit = 2 ** (bits - 1)
    if (typeof value === 'bigint' || value >= limit || value < -limit) {
      throw new ThriftError(`integer beyond ${bits} bits`)
    }
    return value
  }

  #zigzag(): number | bigint {
    const raw = this.#varint()
    if (typeof raw === 'number') return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
    const wide = (raw >> 1n) ^ -(raw & 1n)
    const number = Number(wide)
    return Number.isSafeInteger(number) ? number : wide
  }

  #varint(): number | bigint {
    let result = 0
    let scale = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.byte()
      result += (byte & 127) * scale
      if (byte < 128) return result
      scale *= 128
    }
    return this.#longVarint(result)
  }

  /** Continues after seven bytes, where a double would lose bits. */
  #longVarint(low: number): number | bigint {
    let result = BigInt(low)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      result |= BigInt(byte & 127) << shift
      if (byte < 128) {
        if (result >> 64n !== 0n) break
        return result
      }
    }
    throw new ThriftError('integer beyond 64 bits')
  }
}

export function writeThriftStruct(struct: ThriftStruct): Uint8Array {
  const writer = new ThriftWriter()
  writer.struct(struct)
  return writer.written()
}

/** Writes fields inside a struct, after one with the id `afterId`; the struct continues. */
export function writeThriftFields(fields: readonly ThriftField[], afterId: number): Uint8Array {
  const writer = new ThriftWriter()
  writer.fields(fields, afterId)
  return writer.written()
}

/** Writes values one after the other; `thrift-steps.ts` does with pauses what `struct` does. */
export class ThriftWriter {
  #bytes = new Uint8Array(4096)
  #position = 0

  written(): Uint8Array {
    return this.#bytes.slice(0, this.#position)
  }

  struct({ fields }: ThriftStruct): void {
    this.fields(fields, 0)
    this.end()
  }

  /** The end of a struct. */
  end(): void {
    this.#byte(0)
  }

  fields(fields: readonly ThriftField[], afterId: number): void {
    let last = afterId
    for (const field of fields) {
      this.head(field, last)
      if (typeof field.value !== 'boolean') this.value(field.type, field.value)
      last = field.id
    }
  }

  /** All of a field but its value; of a boolean that, too. */
  head({ id, type, value }: ThriftField, lastId: number): void {
    const wireType = typeof value === 'boolean' ? boolType(value) : type
    const delta = id - lastId
    if (delta > 0 && delta < 16) {
      this.#byte((delta << 4) | wireType)
    } else {
      this.#byte(wireType)
      this.#zigzag(id)
    }
  }

  value(type: number, value: ThriftValue): void {
    if (typeof value === 'boolean') this.#byte(boolType(value))
    else if (type === THRIFT.BYTE) this.#byte(Number(value) & 255)
    else if (typeof value === 'number' || typeof value === 'bigint') this.#zigzag(value)
    else if (value instanceof Uint8Array) this.#binary(type, value)
    else if ('fields' in value) this.struct(value)
    else if ('values' in value) this.#list(value)
    else this.#map(value)
  }

  #binary(type: number, value: Uint8Array): void {
    if (type === THRIFT.BINARY) this.#varint(value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#position)
    this.#position += value.length
  }

  #list({ elementType, values }: ThriftList): void {
    this.listHead({ elementType, values })
    for (const value of values) this.value(elementType, value)
  }

  listHead({ elementType, values }: ThriftList): void {
    const { length } = values
    this.#byte((Math.min(length, 15) << 4) | elementType)
    if (length >= 15) this.#varint(length)
  }

  #map({ keyType, valueType, entries }: ThriftMap): void {
    this.#varint(entries.length)
    if (entries.length === 0) return
    this.#byte((keyType << 4) | valueType)
    for (const [key, value] of entries) {
      this.value(keyType, key)
      this.value(valueType, value)
    }
  }

  #zigzag(value: number | bigint): void {
    if (typeof value === 'number' && Math.abs(value) < 2 ** 52) {
      this.#varint(value < 0 ? -2 * value - 1 : 2 * value)
    } else {
      const wide = BigInt(value)
      this.#longVarint(BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n)))
    }
  }

  #varint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    this.#byte(rest)
  }

  #longVarint(value: bigint): void {
    let rest = value
    while (rest > 127n) {
      this.#byte(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    this.#byte(Number(rest))
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#position++] = value
  }

  #reserve(length: number): void {
    const needed = this.#position + length
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, needed))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

function boolType(value: boolean): number {
  return value ? THRIFT.TRUE : THRIFT.FALSE
}

export function findField(struct: ThriftStruct, id: number): ThriftValue | undefined {
  for (const field of struct.fields) if (field.id === id) return field.value
  return undefined
}
