import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api'
import type { PartitionSpec } from '../../../core/partition/partition-spec.ts'
import { childFields, findPathToField } from '../../../core/schema/schema-lookup.ts'
import { parseHex } from '../../../core/value/bytes-text.ts'
import type { Field, Schema } from '../../../core/value/type.ts'
import type { Value } from '../../../core/value/value.ts'

const UUID_DIGITS = 32

/**
 * SQL for the source of each field of the spec; `columnSql` is that of a top-level column. The
 * values are computed with here, so that nothing is rounded in SQL.
 */
export function sourceSql(
  spec: PartitionSpec,
  schema: Schema,
  columnSql: (field: Field, index: number) => string,
): readonly string[] {
  return spec.fields.map(({ sourceId, transform }) => {
    const [top, ...below] = findPathToField(schema.fields, sourceId) ?? []
    if (top === undefined || transform.kind === 'void') return 'NULL'
    let sql = columnSql(top, schema.fields.indexOf(top))
    let { type } = top
    for (const member of below) {
      sql = `struct_extract_at(${sql}, ${childFields(type).indexOf(member) + 1})`
      type = member.type
    }
    return type.kind === 'string' ? `encode(${sql})` : sql
  })
}

/** Texts come as their bytes: DuckDB's binding loses U+FEFF in front of one. */
export function areTexts(spec: PartitionSpec, schema: Schema): readonly boolean[] {
  return spec.fields.map(
    ({ sourceId }) => findPathToField(schema.fields, sourceId)?.at(-1)?.type.kind === 'string',
  )
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** A value that DuckDB returns for a column of a primitive type, as the rules take it. */
export function partitionValue(value: DuckDBValue, isText: boolean): Value | null {
  if (value === null) return null
  if (typeof value !== 'object') return value
  if (value instanceof DuckDBDateValue) return value.days
  if (value instanceof DuckDBTimestampValue) return value.micros
  if (value instanceof DuckDBTimestampTZValue) return value.micros
  if (value instanceof DuckDBTimestampNanosecondsValue) return value.nanos
  if (value instanceof DuckDBTimeValue) return value.micros
  if (value instanceof DuckDBDecimalValue) return value.value
  if (value instanceof DuckDBBlobValue) return isText ? UTF8.decode(value.bytes) : value.bytes
  if (value instanceof DuckDBUUIDValue) {
    return parseHex(value.toUint128().toString(16).padStart(UUID_DIGITS, '0')) ?? null
  }
  throw new Error(`a column of ${value.constructor.name} has no partitions`)
}
