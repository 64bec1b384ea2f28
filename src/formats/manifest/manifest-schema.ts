import { CatalogError } from '../../core/errors.ts'
import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { needsSourceType, transformResultType } from '../../core/partition/transform.ts'
import { isNested, type PrimitiveType, type Schema, type Type } from '../../core/value/type.ts'
import {
  type AvroFieldJson,
  type AvroTypeJson,
  INT64,
  optional,
  required,
} from './manifest-list-schema.ts'

/** A field of the partition struct: its Iceberg type, and its name in Avro. */
export interface PartitionColumn {
  readonly fieldId: number
  readonly name: string
  readonly avroName: string
  readonly type: PrimitiveType
}

/**
 * One column for each field of the spec. `schema` must contain every source column that determines
 * a type.
 */
export function partitionColumns(spec: PartitionSpec, schema: Schema): readonly PartitionColumn[] {
  const types = primitiveTypesById(schema)
  const taken = new Set<string>()
  return spec.fields.map(({ fieldId, sourceId, name, transform }) => {
    const source = types.get(sourceId)
    const avroName = uniqueName(sanitize(name), fieldId, taken)
    if (source === undefined && needsSourceType(transform)) {
      const detail = `partition field ${name}: no schema of the table has its column ${sourceId}`
      throw new CatalogError('metadata-corrupt', detail)
    }
    // For a dropped column, only transforms with a fixed result type are left, and void, whose
    // values are all null.
    return { fieldId, name, avroName, type: transformResultType(transform, source ?? INT_TYPE) }
  })
}

const INT_TYPE: PrimitiveType = { kind: 'int' }

/** Types of all primitive fields, including those in structs. */
export function primitiveTypesById(schema: Schema): ReadonlyMap<number, PrimitiveType> {
  const types = new Map<number, PrimitiveType>()
  const visit = (id: number, type: Type) => {
    if (type.kind === 'struct') for (const field of type.fields) visit(field.id, field.type)
    else if (!isNested(type)) types.set(id, type)
  }
  for (const field of schema.fields) visit(field.id, field.type)
  return types
}

/** Format version of a manifest; a table of version 1 gets manifests of version 2. */
export type ManifestVersion = 2 | 3

/** Schema of an entry (Iceberg spec, "Manifests"), without the deprecated `distinct_counts`. */
export function manifestEntrySchema(
  columns: readonly PartitionColumn[],
  version: ManifestVersion = 2,
): AvroTypeJson {
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      optional(1, 'snapshot_id', INT64),
      optional(3, 'sequence_number', INT64),
      optional(4, 'file_sequence_number', INT64),
      required(2, 'data_file', dataFileSchema(columns, version)),
    ],
  }
}

function dataFileSchema(
  columns: readonly PartitionColumn[],
  version: ManifestVersion,
): AvroTypeJson {
  const partition = { type: 'record', name: 'r102', fields: columns.map(partitionField) }
  return {
    type: 'record',
    name: 'r2',
    fields: [
      required(134, 'content', 'int'),
      required(100, 'file_path', 'string'),
      required(101, 'file_format', 'string'),
      required(102, 'partition', partition),
      required(103, 'record_count', 'long'),
      required(104, 'file_size_in_bytes', 'long'),
      optional(108, 'column_sizes', intMap(117, 118, 'long')),
      optional(109, 'value_counts', intMap(119, 120, 'long')),
      optional(110, 'null_value_counts', intMap(121, 122, 'long')),
      optional(137, 'nan_value_counts', intMap(138, 139, 'long')),
      optional(125, 'lower_bounds', intMap(126, 127, 'bytes')),
      optional(128, 'upper_bounds', intMap(129, 130, 'bytes')),
      optional(131, 'key_metadata', 'bytes'),
      optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
      optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
      optional(140, 'sort_order_id', 'int'),
      optional(143, 'referenced_data_file', 'string'),
      ...(version === 3 ? VERSION_3_FIELDS : []),
    ],
  }
}

const VERSION_3_FIELDS = [
  optional(142, 'first_row_id', INT64),
  optional(144, 'content_offset', 'long'),
  optional(145, 'content_size_in_bytes', 'long'),
]

/** A map with int keys; keys of Avro's maps are strings, so Iceberg writes pairs. */
function intMap(keyId: number, valueId: number, value: string): AvroTypeJson {
  const fields = [required(keyId, 'key', 'int'), required(valueId, 'value', value)]
  const pair = { type: 'record', name: `k${keyId}_v${valueId}`, fields }
  return { type: 'array', items: pair, logicalType: 'map' }
}

function partitionField({ fieldId, name, avroName, type }: PartitionColumn): AvroFieldJson {
  const field = optional(fieldId, avroName, partitionType(type, fieldId))
  return avroName === name ? field : { ...field, 'iceberg-field-name': name }
}

/**
 * Avro type of a partition value (Iceberg spec, Appendix A). Some readers refuse a named type that
 * occurs twice, so the id makes it unique.
 */
function partitionType(type: PrimitiveType, fieldId: number): AvroTypeJson {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'float':
    case 'double':
    case 'string':
      return type.kind
    case 'binary':
      return 'bytes'
    case 'long':
      return INT64
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
    case 'timestamptz':
      return timestampType('timestamp-micros', type.kind === 'timestamptz')
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return timestampType('timestamp-nanos', type.kind === 'timestamptz_ns')
    case 'uuid':
      return { type: 'fixed', name: `uuid_fixed_f${fieldId}`, size: 16, logicalType: 'uuid' }
    case 'fixed':
      return { type: 'fixed', name: `fixed_${type.length}_f${fieldId}`, size: type.length }
    case 'decimal': {
      const { precision, scale } = type
      const name = `decimal_${precision}_${scale}_f${fieldId}`
      const size = decimalBytes(precision)
      return { type: 'fixed', name, size, logicalType: 'decimal', precision, scale }
    }
    default:
      throw new Error(`partition field ${fieldId} of type ${type.kind} cannot be written`)
  }
}

function timestampType(logicalType: string, isAdjusted: boolean): AvroTypeJson {
  return { type: 'long', logicalType, 'adjust-to-utc': isAdjusted }
}

/** Fewest bytes that hold every value of the precision: 9 digits need 4, 10 need 5. */
export function decimalBytes(precision: number): number {
  let bytes = 1
  while (2n ** BigInt(8 * bytes - 1) < 10n ** BigInt(precision)) bytes++
  return bytes
}

function uniqueName(name: string, fieldId: number, taken: Set<string>): string {
  let unique = name
  if (taken.has(unique)) unique = `${name}_f${fieldId}`
  while (taken.has(unique)) unique += '_'
  taken.add(unique)
  return unique
}

/**
 * Makes a name valid as Iceberg's Java library does: `a-b` becomes `a_x2Db`, `1a` becomes `_1a`.
 */
function sanitize(name: string): string {
  const escaped = name.replace(/[^A-Za-z0-9_]/g, (unit) => {
    return `_x${unit.charCodeAt(0).toString(16).toUpperCase()}`
  })
  return /^\d/.test(escaped) ? `_${escaped}` : escaped || '_'
}
