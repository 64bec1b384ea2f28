import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { parseUuid } from '../../core/value/bytes-text.ts'
import { fromTwosComplement } from '../../core/value/decimal.ts'
import type { PrimitiveType, Schema } from '../../core/value/type.ts'
import type { Value } from '../../core/value/value.ts'
import {
  boolean,
  bytes,
  integer,
  long,
  optionally,
  type Read,
  type ReaderOf,
  text,
  unexpected,
} from '../avro/avro-reader.ts'
import type { AvroField, AvroRecord, AvroType } from '../avro/avro-schema.ts'
import { corrupt } from '../corrupt.ts'
import { partitionColumns } from './manifest-schema.ts'
import { coerceNumber } from './partition-summary.ts'

/**
 * Readers, by field id, for each field of a spec in partition structs of a writer's Avro type.
 * `schema` determines the Iceberg types of the values; without it the Avro types are used.
 */
export function partitionReaders(
  struct: AvroRecord,
  spec: PartitionSpec,
  schema: Schema | undefined,
): ReadonlyMap<number, ReaderOf<Value | undefined>> {
  const types = columnTypes(spec, schema)
  const readers = new Map<number, ReaderOf<Value | undefined>>()
  for (const [i, { fieldId, transform, name }] of spec.fields.entries()) {
    if (hasField(struct.fields, fieldId)) {
      readers.set(fieldId, optionally(partitionValueOf(types?.[i])))
    } else if (transform.kind !== 'void' && transform.kind !== 'unknown') {
      // Reading it as null would prune files that match.
      throw corrupt(`manifest without the partition field ${fieldId}, ${name}`)
    }
  }
  return readers
}

function hasField(fields: readonly AvroField[], id: number): boolean {
  return fields.some((field) => field.id === id)
}

function columnTypes(
  spec: PartitionSpec,
  schema: Schema | undefined,
): readonly PrimitiveType[] | undefined {
  if (schema === undefined) return undefined
  try {
    return partitionColumns(spec, schema).map((column) => column.type)
  } catch {
    // The schema lacks a source column, so Avro's own types are used.
    return undefined
  }
}

function partitionValueOf(wanted: PrimitiveType | undefined): ReaderOf<Value> {
  return (type) => {
    const read = physicalValue(type, wanted)
    return wanted === undefined ? read : (cursor) => coerceNumber(wanted, read(cursor))
  }
}

function physicalValue(type: AvroType, wanted: PrimitiveType | undefined): Read<Value> {
  switch (type.kind) {
    case 'boolean':
      return boolean(type)
    case 'int':
      return integer(type)
    case 'long':
      return long(type)
    case 'float':
      return (cursor) => cursor.readFloat()
    case 'double':
      return (cursor) => cursor.readDouble()
    case 'string':
      return isUuid(type.logicalType, wanted) ? uuidOfText(text(type)) : text(type)
    case 'bytes':
    case 'fixed': {
      const read = bytes(type)
      if (type.logicalType !== 'decimal' && wanted?.kind !== 'decimal') return read
      return (cursor) => fromTwosComplement(read(cursor))
    }
    default:
      throw unexpected(type)
  }
}

function isUuid(logicalType: string | undefined, wanted: PrimitiveType | undefined): boolean {
  return wanted === undefined ? logicalType === 'uuid' : wanted.kind === 'uuid'
}

function uuidOfText(read: Read<string>): Read<Value> {
  return (cursor) => {
    const uuid = parseUuid(read(cursor))
    if (uuid === undefined) throw corrupt('partition value that is not a UUID')
    return uuid
  }
}
