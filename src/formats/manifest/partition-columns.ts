import type { PartitionValues } from '../../core/file/file-columns.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import type { Schema } from '../../core/value/type.ts'
import type { Value } from '../../core/value/value.ts'
import type { AvroCursor } from '../avro/avro-cursor.ts'
import { SkipCompiler } from '../avro/avro-reader.ts'
import type { AvroRecord } from '../avro/avro-schema.ts'
import { bytesOfNumbers, NumberRowsBuilder } from './column-builders.ts'
import { partitionReaders } from './partition-readers.ts'

/** Heap size of a value besides its characters or bytes. */
const VALUE_OVERHEAD_BYTES = 40

export interface PartitionColumns {
  /** In the order of the spec. */
  readonly columns: readonly PartitionValues[]
  readonly byteLength: number
}

/** Fills a column for each field of a spec from the partition structs of a manifest's entries. */
export class PartitionColumnsBuilder {
  readonly #columns: readonly ColumnBuilder[]
  readonly #steps: readonly ((cursor: AvroCursor, row: number) => void)[]

  constructor(struct: AvroRecord, spec: PartitionSpec, schema: Schema | undefined) {
    const readers = partitionReaders(struct, spec, schema)
    this.#columns = spec.fields.map(() => new ColumnBuilder())
    const skips = new SkipCompiler()
    this.#steps = struct.fields.map(({ id, type }) => {
      const reader = id === undefined ? undefined : readers.get(id)
      const columns = this.#columns.filter((_, i) => spec.fields[i]?.fieldId === id)
      if (reader === undefined) return skips.skipOf(type)
      const read = reader(type)
      return (cursor, row) => {
        const value = read(cursor) ?? null
        for (const column of columns) column.set(row, value)
      }
    })
  }

  read(cursor: AvroCursor, row: number): void {
    for (const step of this.#steps) step(cursor, row)
  }

  finish(rowCount: number): PartitionColumns {
    let byteLength = 0
    const columns = this.#columns.map((builder) => {
      const column = builder.finish(rowCount)
      byteLength += bytesOfNumbers(column.codes)
      for (const value of column.distinct) byteLength += VALUE_OVERHEAD_BYTES + lengthOf(value)
      return column
    })
    return { columns, byteLength }
  }
}

/** Builds a column; rows that are not set are null. */
class ColumnBuilder {
  readonly #distinct: (Value | null)[] = [null]
  readonly #codes = new NumberRowsBuilder()
  readonly #codeByKey = new Map<Value, number>()
  #lastValue: Value | null = null
  #lastCode = 0

  set(row: number, value: Value | null): void {
    if (!Object.is(value, this.#lastValue)) {
      this.#lastCode = value === null ? 0 : this.#codeOf(value)
      this.#lastValue = value
    }
    if (this.#lastCode !== 0) this.#codes.set(row, this.#lastCode)
  }

  finish(rowCount: number): PartitionValues {
    return { distinct: this.#distinct, codes: this.#codes.finish(rowCount) }
  }

  #codeOf(value: Value): number {
    const key = keyOf(value)
    const known = this.#codeByKey.get(key)
    if (known !== undefined) return known
    const code = this.#distinct.push(value) - 1
    this.#codeByKey.set(key, code)
    return code
  }
}

/**
 * A map key for a value. All values of a column have one kind, so a text can stand for bytes. Minus
 * zero is a value of its own.
 */
function keyOf(value: Value): Value {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  return Object.is(value, -0) ? '-0' : value
}

function lengthOf(value: Value | null): number {
  if (typeof value === 'string') return 2 * value.length
  return value instanceof Uint8Array ? value.length + VALUE_OVERHEAD_BYTES : 8
}
