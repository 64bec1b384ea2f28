import type { ColumnAction } from '../../../core/table/table-policy.ts'
import type { Field, Type } from '../../../core/value/type.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { quoteName } from '../sql/sql-text.ts'
import { typeSql } from '../sql/type-sql.ts'

/** SQL for what an action (Iceberg REST, `read-restrictions`) makes of a value of the field. */
export function maskSql(action: ColumnAction, { name, type }: Field, sql: string): string {
  switch (action) {
    case 'replace-with-null':
      return `CAST(NULL AS ${typeSql(type, name)})`
    case 'mask-to-fixed-value':
      return fixedSql(type, name)
    case 'mask-alphanum':
      return alphanumSql(sql)
    case 'show-first-4':
      return `(substr(${sql}, 1, 4) || ${alphanumSql(`substr(${sql}, 5)`)})`
    case 'show-last-4': {
      const hidden = `greatest(length(${sql}) - 4, 0)`
      const masked = alphanumSql(`substr(${sql}, 1, ${hidden})`)
      return `(${masked} || substr(${sql}, ${hidden} + 1))`
    }
    case 'truncate-to-year':
      return truncatedSql('year', type, sql)
    case 'truncate-to-month':
      return truncatedSql('month', type, sql)
    case 'sha-256-global':
      return hashedSql(type, sql)
  }
}

/** By code point: all but these few is an x, and then each digit an n. */
function alphanumSql(sql: string): string {
  const redacted = `regexp_replace(${sql}, '[^0-9(),.\\-@]', 'x', 'g')`
  return `regexp_replace(${redacted}, '[0-9]', 'n', 'g')`
}

function truncatedSql(unit: 'year' | 'month', type: Type, sql: string): string {
  switch (type.kind) {
    case 'date':
      return `CAST(date_trunc('${unit}', ${sql}) AS DATE)`
    case 'timestamptz':
      // In UTC, whatever a session's calendar is.
      return `make_timestamptz(epoch_us(date_trunc('${unit}', make_timestamp(epoch_us(${sql})))))`
    default:
      return `date_trunc('${unit}', ${sql})`
  }
}

/** Numbers are hashed, and given back, as little-endian bytes. */
function hashedSql(type: Type, sql: string): string {
  if (type.kind === 'string') return `sha256(${sql})`
  if (type.kind === 'binary') return `unhex(sha256(${sql}))`
  const bytes = type.kind === 'int' ? 4 : 8
  const big = `hex(CAST(CAST(${sql} AS BIT) AS BLOB))`
  const digest = `sha256(unhex(${reversedSql(big, bytes)}))`
  const target = type.kind === 'int' ? 'INTEGER' : 'BIGINT'
  return `CAST(CAST(unhex(${reversedSql(digest, bytes)}) AS BIT) AS ${target})`
}

/** The first bytes of a hexadecimal text in the other order. */
function reversedSql(hex: string, bytes: number): string {
  const pairs = Array.from({ length: bytes }, (_, i) => `substr(h, ${2 * (bytes - i) - 1}, 2)`)
  return `list_transform([${hex}], lambda h: ${pairs.join(' || ')})[1]`
}

function fixedSql(type: Type, column: string): string {
  const target = typeSql(type, column)
  return `CAST(${fixedValueSql(type, column)} AS ${target})`
}

function fixedValueSql(type: Type, column: string): string {
  switch (type.kind) {
    case 'boolean':
      return 'false'
    case 'string':
      return `'XXXXXXXX'`
    case 'date':
      return `'1970-01-01'`
    case 'time':
      return `'00:00:00'`
    case 'timestamp':
    case 'timestamp_ns':
      return `'1970-01-01 00:00:00'`
    case 'timestamptz':
      return `'1970-01-01 00:00:00+00'`
    case 'uuid':
      return `'00000000-0000-0000-0000-000000000000'`
    case 'fixed':
      return `unhex('${'00'.repeat(type.length)}')`
    case 'binary':
      return `unhex('')`
    case 'list':
      return '[]'
    case 'map':
      return 'map([], [])'
    case 'struct': {
      const names = sqlNames(type.fields)
      const members = type.fields.map(
        (field, i) => `${quoteName(names[i] ?? '')} := ${fixedSql(field.type, column)}`,
      )
      return `struct_pack(${members.join(', ')})`
    }
    default:
      return '0'
  }
}
