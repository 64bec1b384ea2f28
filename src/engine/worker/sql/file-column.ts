import { type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'

export type TimeUnit = 'MilliSeconds' | 'MicroSeconds' | 'NanoSeconds'

/** A node of DuckDB's `parquet_schema`, as a tree. */
export interface ParquetNode {
  readonly name: string
  readonly fieldId: number | undefined
  readonly unit: TimeUnit | undefined
  readonly isNull?: boolean | undefined
  readonly children: readonly ParquetNode[]
}

/** A column of a Parquet file as DuckDB reads it, with the file's field ids. */
export interface FileColumn {
  readonly name: string
  readonly fieldId: number | undefined
  readonly type: DuckDBType
  /** What the file counts times in, whatever DuckDB reads. */
  readonly unit: TimeUnit | undefined
  /** Whether its writer saw no value, of any type: it is NULL in every row. */
  readonly isNull?: boolean | undefined
  /** Members of a struct in order, the element of a list, or key and value of a map. */
  readonly children: readonly FileColumn[]
}

export interface SchemaRow {
  readonly name: string
  readonly childCount: number
  readonly fieldId: number | undefined
  readonly unit: TimeUnit | undefined
  readonly isNull?: boolean | undefined
}

const DEPTH_MAX = 100

/** The children of the root; `undefined` if the rows, in depth-first order, do not form a tree. */
export function treeOf(rows: readonly SchemaRow[]): readonly ParquetNode[] | undefined {
  let next = 0
  const take = (depth: number): ParquetNode | undefined => {
    const row = rows[next++]
    if (row === undefined || depth > DEPTH_MAX) return undefined
    const children: ParquetNode[] = []
    for (let i = 0; i < row.childCount; i++) {
      const child = take(depth + 1)
      if (child === undefined) return undefined
      children.push(child)
    }
    const { name, fieldId, unit, isNull } = row
    return { name, fieldId, unit, isNull, children }
  }
  const root = take(0)
  return next === rows.length ? root?.children : undefined
}

/**
 * Finds the node of each part of a type. Groups that only encode lists and maps have no part of
 * their own, and older writers omit some of them, so whatever fits the type is right.
 */
export function columnOf(
  name: string,
  type: DuckDBType,
  node: ParquetNode,
): FileColumn | undefined {
  const column = (children: readonly (FileColumn | undefined)[]): FileColumn | undefined =>
    children.every((child) => child !== undefined)
      ? { name, type, fieldId: node.fieldId, unit: node.unit, isNull: node.isNull, children }
      : undefined
  if (type.typeId === DuckDBTypeId.STRUCT) {
    const { entryNames, entryTypes } = type
    if (node.children.length !== entryNames.length) return undefined
    return column(
      node.children.map((child, i) => {
        return memberOf(nameInFile(child, entryNames[i] ?? ''), entryTypes[i], child)
      }),
    )
  }
  const [repeated] = node.children
  if (type.typeId === DuckDBTypeId.LIST) return column([elementOf(type.valueType, node)])
  if (type.typeId === DuckDBTypeId.MAP) {
    const [key, value] = repeated?.children ?? []
    return column([memberOf('key', type.keyType, key), memberOf('value', type.valueType, value)])
  }
  return node.children.length === 0 ? column([]) : undefined
}

/**
 * DuckDB calls members by other names where they differ in case only, or have U+0000; a byte order
 * mark is in its names alone.
 */
function nameInFile({ name }: ParquetNode, duckDbName: string): string {
  return duckDbName === `\ufeff${name}` ? duckDbName : name
}

function memberOf(
  name: string | undefined,
  type: DuckDBType | undefined,
  node: ParquetNode | undefined,
): FileColumn | undefined {
  if (name === undefined || type === undefined || node === undefined) return undefined
  return columnOf(name, type, node)
}

function elementOf(type: DuckDBType, list: ParquetNode): FileColumn | undefined {
  const [repeated] = list.children
  // A repeated field outside a list is its own element.
  if (repeated === undefined) return columnOf('element', type, list)
  const [inner] = repeated.children
  const isWrapped = repeated.children.length === 1 && inner !== undefined
  const wrapped = isWrapped ? columnOf('element', type, inner) : undefined
  return wrapped ?? columnOf('element', type, repeated) ?? columnOf('element', type, list)
}
