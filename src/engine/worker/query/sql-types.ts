import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { assignFreshIds } from '../../../core/schema/column-definition.ts'
import type { Field, Schema, Type } from '../../../core/value/type.ts'

const PRIMITIVES: Partial<Record<DuckDBTypeId, Type>> = {
  [DuckDBTypeId.BOOLEAN]: { kind: 'boolean' },
  [DuckDBTypeId.TINYINT]: { kind: 'int' },
  [DuckDBTypeId.SMALLINT]: { kind: 'int' },
  [DuckDBTypeId.INTEGER]: { kind: 'int' },
  [DuckDBTypeId.UTINYINT]: { kind: 'int' },
  [DuckDBTypeId.USMALLINT]: { kind: 'int' },
  [DuckDBTypeId.BIGINT]: { kind: 'long' },
  [DuckDBTypeId.UINTEGER]: { kind: 'long' },
  [DuckDBTypeId.UBIGINT]: { kind: 'decimal', precision: 38, scale: 0 },
  [DuckDBTypeId.HUGEINT]: { kind: 'decimal', precision: 38, scale: 0 },
  [DuckDBTypeId.UHUGEINT]: { kind: 'decimal', precision: 38, scale: 0 },
  [DuckDBTypeId.FLOAT]: { kind: 'float' },
  [DuckDBTypeId.DOUBLE]: { kind: 'double' },
  [DuckDBTypeId.BLOB]: { kind: 'binary' },
  [DuckDBTypeId.DATE]: { kind: 'date' },
  [DuckDBTypeId.TIME]: { kind: 'time' },
  [DuckDBTypeId.TIMESTAMP]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_S]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_MS]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_NS]: { kind: 'timestamp_ns' },
  [DuckDBTypeId.TIMESTAMP_TZ]: { kind: 'timestamptz' },
  [DuckDBTypeId.UUID]: { kind: 'uuid' },
}

/** The table's types that hold what a query returns; text for what has none, such as intervals. */
export function resultSchema(names: readonly string[], types: readonly DuckDBType[]): Schema {
  const fields = names.map((name, i): Field => {
    return { id: i + 1, name, required: false, type: typeOf(types[i]) }
  })
  return { schemaId: 0, fields: assignFreshIds(fields, 1).fields, identifierFieldIds: [] }
}

function typeOf(type: DuckDBType | undefined): Type {
  if (type === undefined) return { kind: 'string' }
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL:
      return { kind: 'decimal', precision: type.width, scale: type.scale }
    case DuckDBTypeId.LIST: {
      const element = typeOf(type.valueType)
      return { kind: 'list', elementId: 0, elementRequired: false, element }
    }
    case DuckDBTypeId.MAP: {
      const [key, value] = [typeOf(type.keyType), typeOf(type.valueType)]
      return { kind: 'map', keyId: 0, key, valueId: 0, valueRequired: false, value }
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type
      const fields = entryNames.map((name, i): Field => {
        return { id: 0, name, required: false, type: typeOf(entryTypes[i]) }
      })
      return { kind: 'struct', fields }
    }
    default:
      return PRIMITIVES[type.typeId] ?? { kind: 'string' }
  }
}
