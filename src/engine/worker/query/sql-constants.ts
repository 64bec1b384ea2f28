import type { SqlNode } from './sql-check.ts'

/**
 * A copy of a tree in which constants keep their types when it is written as text: DuckDB writes
 * `1e0` as `1.0`, which is a decimal, and `5.` as `5`, which is an integer.
 */
export function withTypedConstants(node: SqlNode): SqlNode {
  return typed(node) as SqlNode
}

function typed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typed)
  if (typeof value !== 'object' || value === null) return value
  const node = value as SqlNode
  if (node['class'] === 'CONSTANT') return cast(node) ?? node
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, typed(child)]))
}

/** The same value, read from a text; `undefined` for a constant that is written as what it is. */
function cast(constant: SqlNode): SqlNode | undefined {
  const { type, value, is_null: isNull } = constant['value'] as SqlNode
  const { id, type_info: info } = type as SqlNode
  const isWhole = id === 'DECIMAL' && Number((info as SqlNode | null)?.['scale']) === 0
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  if (isNull === true || !isNumber || !(id === 'DOUBLE' || isWhole)) return undefined
  const text = { type: { id: 'VARCHAR', type_info: null }, is_null: false, value: String(value) }
  return {
    ...{ class: 'CAST', type: 'OPERATOR_CAST', alias: constant['alias'], try_cast: false },
    query_location: constant['query_location'],
    child: { ...constant, alias: '', value: text },
    cast_type: type,
  }
}
