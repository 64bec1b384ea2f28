import { ThriftError, type ThriftStruct } from '../thrift/thrift.ts'
import {
  findBoolean,
  findNumber,
  findStruct,
  getNumber,
  getStruct,
} from '../thrift/thrift-fields.ts'
import type { Annotation, TimeUnit } from './footer-model.ts'

/** Names of the union LogicalType, by field id, that carry no parameters. */
const PLAIN_LOGICAL: Readonly<Record<number, Annotation['kind']>> = {
  1: 'STRING',
  2: 'MAP',
  3: 'LIST',
  4: 'ENUM',
  6: 'DATE',
  9: 'INTERVAL',
  11: 'NULL',
  12: 'JSON',
  13: 'BSON',
  14: 'UUID',
  15: 'FLOAT16',
  16: 'VARIANT',
  17: 'GEOMETRY',
  18: 'GEOGRAPHY',
}

const CONVERTED: readonly Annotation[] = [
  { kind: 'STRING' },
  { kind: 'MAP' },
  { kind: 'MAP_KEY_VALUE' },
  { kind: 'LIST' },
  { kind: 'ENUM' },
  { kind: 'DECIMAL', precision: 0, scale: 0 },
  { kind: 'DATE' },
  { kind: 'TIME', unit: 'millis', adjustedToUtc: true },
  { kind: 'TIME', unit: 'micros', adjustedToUtc: true },
  { kind: 'TIMESTAMP', unit: 'millis', adjustedToUtc: true },
  { kind: 'TIMESTAMP', unit: 'micros', adjustedToUtc: true },
  { kind: 'INTEGER', bitWidth: 8, signed: false },
  { kind: 'INTEGER', bitWidth: 16, signed: false },
  { kind: 'INTEGER', bitWidth: 32, signed: false },
  { kind: 'INTEGER', bitWidth: 64, signed: false },
  { kind: 'INTEGER', bitWidth: 8, signed: true },
  { kind: 'INTEGER', bitWidth: 16, signed: true },
  { kind: 'INTEGER', bitWidth: 32, signed: true },
  { kind: 'INTEGER', bitWidth: 64, signed: true },
  { kind: 'JSON' },
  { kind: 'BSON' },
  { kind: 'INTERVAL' },
]

/**
 * Annotation of a SchemaElement: the logical type (field 10), else the converted type (6, with 7
 * and 8).
 */
export function annotationOf(element: ThriftStruct): Annotation | undefined {
  const logical = findStruct(element, 10)
  if (logical !== undefined) return logicalType(logical)
  const converted = findNumber(element, 6)
  if (converted === undefined) return undefined
  const annotation = CONVERTED[converted]
  if (annotation === undefined) throw new ThriftError(`unknown converted type ${converted}`)
  if (annotation.kind !== 'DECIMAL') return annotation
  return { kind: 'DECIMAL', precision: getNumber(element, 8), scale: findNumber(element, 7) ?? 0 }
}

function logicalType(union: ThriftStruct): Annotation {
  const [member] = union.fields
  if (member === undefined) throw new ThriftError('empty logical type')
  const { id } = member
  const plain = PLAIN_LOGICAL[id]
  if (plain !== undefined) return { kind: plain } as Annotation
  const parameters = getStruct(union, id)
  switch (id) {
    case 5:
      return {
        kind: 'DECIMAL',
        scale: getNumber(parameters, 1),
        precision: getNumber(parameters, 2),
      }
    case 7:
    case 8:
      return {
        kind: id === 7 ? 'TIME' : 'TIMESTAMP',
        adjustedToUtc: findBoolean(parameters, 1) ?? false,
        unit: timeUnit(getStruct(parameters, 2)),
      }
    case 10:
      return {
        kind: 'INTEGER',
        bitWidth: getNumber(parameters, 1),
        signed: findBoolean(parameters, 2) ?? true,
      }
    default:
      return { kind: 'UNKNOWN', logicalTypeId: id }
  }
}

function timeUnit(union: ThriftStruct): TimeUnit {
  const units: Readonly<Record<number, TimeUnit>> = { 1: 'millis', 2: 'micros', 3: 'nanos' }
  const unit = units[union.fields[0]?.id ?? 0]
  if (unit === undefined) throw new ThriftError('unknown time unit')
  return unit
}
