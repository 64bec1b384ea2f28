import { CatalogError } from '../../../core/errors.ts'
import type { SqlReference } from '../../engine.ts'
import { SQL_FUNCTIONS } from './sql-functions.ts'

/** What DuckDB makes of a text, as JSON. */
export type SqlNode = { [key: string]: unknown }

const TABLES_MAX = 20
const NODES_MAX = 200_000

const CLASSES = new Set([
  ...['COLUMN_REF', 'CONSTANT', 'FUNCTION', 'CAST', 'COMPARISON', 'CONJUNCTION', 'OPERATOR'],
  ...['CASE', 'BETWEEN', 'SUBQUERY', 'STAR', 'WINDOW', 'POSITIONAL_REFERENCE'],
])
/** Kinds of everything that is no expression: queries, tables, modifiers, orders, types. */
const TYPES = new Set([
  ...['SELECT_NODE', 'SET_OPERATION_NODE'],
  ...['EMPTY', 'BASE_TABLE', 'SUBQUERY', 'JOIN', 'EXPRESSION_LIST'],
  ...['ORDER_MODIFIER', 'LIMIT_MODIFIER', 'LIMIT_PERCENT_MODIFIER', 'DISTINCT_MODIFIER'],
  ...['ORDER_DEFAULT', 'ASCENDING', 'DESCENDING'],
  ...['DECIMAL_TYPE_INFO', 'LIST_TYPE_INFO', 'STRUCT_TYPE_INFO'],
])
/** What DuckDB calls types; there are no types of users. */
const CAST_TYPES = new Set([
  ...['BOOLEAN', 'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT'],
  ...['UINTEGER', 'UBIGINT', 'FLOAT', 'DOUBLE', 'DECIMAL', 'VARCHAR', 'BLOB', 'UUID', 'DATE'],
  ...['TIME', 'TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS', 'INTERVAL'],
  ...['TIMESTAMP WITH TIME ZONE', 'LIST', 'STRUCT', 'MAP', 'NULL', 'UNKNOWN', 'INTEGER_LITERAL'],
  ...['STRING_LITERAL'],
])

export interface CheckedSql {
  /** Each table, at each moment, once. */
  readonly references: readonly SqlReference[]
  /** Whether a LIMIT is, or might be, of no rows. */
  readonly mayTakeNone: boolean
}

/**
 * Refuses all that is not on the lists, and gives tables and common table expressions names of our
 * own, so that no name that is left leads anywhere else: `t0`, `t1`, ... in the order of the
 * references, and `q0`, `q1`, ... Changes the tree. Throws `query-invalid`.
 */
export function checkSql(select: SqlNode): CheckedSql {
  const checker = new SqlChecker()
  checker.query(select, new Map())
  const { references, mayTakeNone } = checker
  return { references, mayTakeNone }
}

type Scope = ReadonlyMap<string, string>

class SqlChecker {
  readonly references: SqlReference[] = []
  mayTakeNone = false
  readonly #keys: string[] = []
  #expressions = 0
  #nodes = 0

  /** A query: what its common table expressions are called is known below. */
  query(node: SqlNode, outer: Scope): void {
    const known = new Map(outer)
    for (const entry of listOf(objectOf(node['cte_map'])['map'])) {
      const value = objectOf(entry['value'])
      const name = `q${this.#expressions++}`
      // Those before it, and not itself.
      this.#inside(value, new Map(known))
      known.set(String(entry['key']).toLowerCase(), name)
      entry['key'] = name
    }
    const { cte_map: _, ...rest } = node
    this.#kind(node)
    this.#inside(rest, known)
  }

  #any(value: unknown, scope: Scope): void {
    if (Array.isArray(value)) for (const item of value) this.#any(item, scope)
    else if (typeof value === 'object' && value !== null) this.#object(value as SqlNode, scope)
  }

  #object(node: SqlNode, scope: Scope): void {
    if (++this.#nodes > NODES_MAX) throw invalid('the query is too long')
    if (node['cte_map'] !== undefined) {
      this.query(node, scope)
      return
    }
    if (node['class'] === undefined) this.#kind(node)
    else this.#expression(node)
    if (node['type'] === 'BASE_TABLE') this.#table(node, scope)
    if (node['type'] === 'LIMIT_MODIFIER') this.mayTakeNone ||= !takesSome(node['limit'])
    this.#inside(node, scope)
  }

  #inside(node: SqlNode, scope: Scope): void {
    for (const [key, value] of Object.entries(node)) {
      if (key === 'sample' && value !== null) throw invalid('samples are not taken')
      if (key === 'cast_type') requireType(value)
      // A constant is a value, whatever it looks like.
      if (key !== 'value' || node['class'] !== 'CONSTANT') this.#any(value, scope)
    }
  }

  #kind({ type }: SqlNode): void {
    if (typeof type === 'string' && !TYPES.has(type)) throw invalid(refusalOf(type))
  }

  #expression(node: SqlNode): void {
    const { class: kind, function_name: name, schema, catalog } = node
    if (!CLASSES.has(String(kind))) throw invalid(refusalOf(String(kind)))
    if (name === undefined) return
    const isOurs = ['', 'main', undefined].includes(schema as string) && !catalog
    if (!isOurs || !SQL_FUNCTIONS.has(lower(name))) {
      throw new CatalogError(
        'query-invalid',
        `queries have no function ${shown(name)}; docs/rows.md lists those that there are`,
        {
          facts: { function: shown(name) },
        },
      )
    }
  }

  /** It keeps the name by which its columns are called. */
  #table(node: SqlNode, scope: Scope): void {
    const { catalog_name: catalog, schema_name: schema, table_name: table, at_clause: at } = node
    const path = [catalog, schema, table]
      .map(String)
      .filter((part) => part !== '' && part !== 'null')
    const name = path.join('.')
    const alias = node['alias'] === '' || node['alias'] === undefined ? table : node['alias']
    const ours = path.length === 1 ? scope.get(lower(name)) : undefined
    if (ours !== undefined && at !== null && at !== undefined) throw invalid('AT is for tables')
    const own = ours ?? `t${this.#refer({ table: name, ...momentOf(at) })}`
    const named = { catalog_name: '', schema_name: '', table_name: own, alias, at_clause: null }
    Object.assign(node, named)
  }

  #refer(reference: SqlReference): number {
    const key = JSON.stringify([lower(reference.table), reference.timestamp, reference.version])
    const known = this.#keys.indexOf(key)
    if (known >= 0) return known
    if (this.references.length >= TABLES_MAX) throw invalid(`more than ${TABLES_MAX} tables`)
    this.references.push(reference)
    return this.#keys.push(key) - 1
  }
}

/** Whether a limit is a literal of at least one row, or there is none. */
function takesSome(limit: unknown): boolean {
  if (limit === null) return true
  const { class: kind, value: constant } = objectOf(limit)
  const { type, value } = objectOf(constant)
  // A decimal is told without its scale.
  const isWhole = kind === 'CONSTANT' && String(objectOf(type)['id']).includes('INT')
  return isWhole && Number(value) >= 1
}

/** A moment or a version as a literal. */
function momentOf(at: unknown): Pick<SqlReference, 'timestamp' | 'version'> {
  if (at === null || at === undefined) return {}
  const { unit, expr } = at as SqlNode
  const expression = objectOf(expr)
  const literal = expression['class'] === 'CAST' ? objectOf(expression['child']) : expression
  const { value } = objectOf(literal['value'])
  const isLiteral =
    literal['class'] === 'CONSTANT' && ['string', 'number', 'bigint'].includes(typeof value)
  if (!isLiteral) throw invalid('AT takes a literal: AT (TIMESTAMP => ...) or AT (VERSION => ...)')
  const isMoment = String(unit).toUpperCase() === 'TIMESTAMP'
  return isMoment ? { timestamp: String(value) } : { version: String(value) }
}

function requireType(value: unknown): void {
  const { id, type_info: info } = objectOf(value)
  if (!CAST_TYPES.has(String(id))) throw invalid(`queries have no type ${shown(id)}`)
  const { child_type: child, child_types: children } = objectOf(info)
  if (child !== undefined) requireType(child)
  for (const each of listOf(children)) requireType(each['second'])
}

const REFUSALS: Readonly<Record<string, string>> = {
  TABLE_FUNCTION: 'table functions',
  RECURSIVE_CTE_NODE: 'recursion',
  SHOW_REF: 'SHOW, DESCRIBE and SUMMARIZE',
  LAMBDA: 'lambdas',
  PARAMETER: 'parameters',
  PIVOT: 'PIVOT',
}

function refusalOf(kind: string): string {
  return `queries have no ${REFUSALS[kind] ?? kind.toLowerCase().replaceAll('_', ' ')}`
}

function objectOf(value: unknown): SqlNode {
  return typeof value === 'object' && value !== null ? (value as SqlNode) : {}
}

function listOf(value: unknown): readonly SqlNode[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

function lower(name: unknown): string {
  return String(name).toLowerCase()
}

function shown(name: unknown): string {
  return String(name).slice(0, 100)
}

function invalid(detail: string): CatalogError {
  return new CatalogError('query-invalid', detail)
}
