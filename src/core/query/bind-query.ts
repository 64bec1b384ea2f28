import { CatalogError } from '../errors.ts'
import { columnNames, findColumn } from '../filter/bind/filter-column.ts'
import { parseFilter } from '../filter/parse/filter-parser.ts'
import { assignFreshIds } from '../schema/column-definition.ts'
import { topFieldsOf } from '../schema/schema-lookup.ts'
import { type Field, isNested, type Schema, type Type, typeName } from '../value/type.ts'
import type {
  AggregateFunction,
  AggregateRequest,
  BoundQuery,
  OrderRequest,
  OrderTerm,
  QueryOutput,
  QueryRequest,
} from './bound-query.ts'
import { requireDistinctNames } from './result-names.ts'
import { bindRowFilter, fieldsOfFilter } from './row-filter.ts'

const COLUMNS_LISTED_MAX = 20
const NOT_COMPARED = new Set(['variant', 'opaque', 'unknown'])
const SUMMED = new Set(['int', 'long', 'float', 'double', 'decimal'])

/**
 * Resolves names against a schema, as filters do. Throws `query-invalid` for a column that is not
 * there or cannot be used so, `filter-invalid` for the filter.
 */
export function bindQuery(request: QueryRequest, schema: Schema): BoundQuery {
  const { filter, limit } = request
  const isGrouped = request.groupBy !== undefined || (request.aggregates ?? []).length > 0
  return {
    ...(isGrouped ? bindGroups(request, schema) : bindRows(request, schema)),
    ...(filter !== undefined && { filter: bindRowFilter(parseFilter(filter), schema) }),
    ...(limit !== undefined && { limit }),
  }
}

/** The top-level fields of the schema that the query reads, in the schema's order. */
export function fieldsOfQuery(query: BoundQuery, schema: Schema): readonly Field[] {
  const used = new Set(query.groupBy)
  for (const output of query.outputs) {
    if (output.fieldId !== undefined) used.add(output.fieldId)
  }
  for (const { by } of query.orderBy) if ('fieldId' in by) used.add(by.fieldId)
  if (query.filter !== undefined) for (const id of fieldsOfFilter(query.filter)) used.add(id)
  return topFieldsOf(schema.fields, used)
}

/**
 * The query as text: equal for queries that mean the same by other spellings. It is part of the
 * identity of what is made of a snapshot.
 */
export function canonicalQuery({ result, ...query }: BoundQuery): string {
  const names = result.fields.map(({ name }) => name)
  return JSON.stringify({ ...query, names }, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { long: String(value) }
    if (value instanceof Uint8Array) return { bytes: [...value] }
    if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) }
    return Object.is(value, -0) ? { number: '-0' } : sorted(value)
  })
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

type Shaped = Pick<BoundQuery, 'result' | 'outputs' | 'groupBy' | 'orderBy'>

function bindRows({ columns, orderBy = [] }: QueryRequest, schema: Schema): Shaped {
  const named = (columns ?? schema.fields.map(({ name }) => [name])).map((column) => {
    const path = typeof column === 'string' ? undefined : column
    const shown = typeof column === 'string' ? column : (column[0] ?? '')
    return { name: shown, ...resolve(schema, shown, path) }
  })
  if (named.length === 0) throw invalid('a query needs a column')
  return {
    result: resultOf(named),
    outputs: named.map(({ fieldId }): QueryOutput => ({ kind: 'column', fieldId })),
    orderBy: orderBy.map((term) => {
      const { fieldId } = comparable(resolve(schema, term.column), term.column, 'ordered')
      return orderTerm(term, { fieldId })
    }),
  }
}

function bindGroups(request: QueryRequest, schema: Schema): Shaped {
  const { groupBy = [], aggregates = [], columns, orderBy = [] } = request
  const keys = groupBy.map((name) => {
    return { name, ...comparable(resolve(schema, name), name, 'grouped') }
  })
  const keyIds = new Set(keys.map(({ fieldId }) => fieldId))
  for (const column of columns ?? []) {
    if (keyIds.has(resolve(schema, column).fieldId)) continue
    throw invalid(`column ${column} is neither in group_by nor an aggregate`, { column })
  }
  const made = aggregates.map((aggregate) => bindAggregate(aggregate, schema))
  const result = resultOf([...keys, ...made])
  if (result.fields.length === 0) throw invalid('a query needs a column or an aggregate')
  return {
    result,
    outputs: [
      ...keys.map(({ fieldId }): QueryOutput => ({ kind: 'column', fieldId })),
      ...made.map(({ output }) => output),
    ],
    groupBy: keys.map(({ fieldId }) => fieldId),
    orderBy: orderBy.map((term) => {
      const output = result.fields.findIndex(({ name }) => name === term.column)
      if (output >= 0) return orderTerm(term, { output })
      const names = result.fields.map(({ name }) => name)
      throw invalid(`the result has no column ${term.column} to order by`, { columns: names })
    }),
  }
}

function bindAggregate({ function: name, column, as }: AggregateRequest, schema: Schema) {
  if (column === undefined) {
    if (name !== 'count') throw invalid(`the aggregate ${name} needs a column`)
    const output: QueryOutput = { kind: 'aggregate', function: name }
    return { name: as ?? 'count', type: { kind: 'long' } as const, output }
  }
  const found = resolve(schema, column)
  if (name !== 'count') comparable(found, column, 'aggregated')
  const { fieldId } = found
  const output: QueryOutput = { kind: 'aggregate', function: name, fieldId }
  return { name: as ?? `${name}_${column}`, type: aggregateType(name, found.type, column), output }
}

/** A sum of integers has 38 digits, so that none is lost. */
function aggregateType(name: AggregateFunction, type: Type, column: string): Type {
  switch (name) {
    case 'count':
    case 'count_distinct':
    case 'approx_count_distinct':
      return { kind: 'long' }
    case 'min':
    case 'max':
      return type
    default:
      if (!SUMMED.has(type.kind)) {
        throw invalid(`column ${column} is of type ${typeName(type)}, which has no ${name}`)
      }
      if (name === 'avg' || type.kind === 'float' || type.kind === 'double') {
        return { kind: 'double' }
      }
      return { kind: 'decimal', precision: 38, scale: type.kind === 'decimal' ? type.scale : 0 }
  }
}

interface Found {
  readonly fieldId: number
  readonly type: Type
}

function resolve(schema: Schema, name: string, path = name.split('.')): Found {
  const found = findColumn(schema, path)
  if (typeof found === 'object') return found
  const columns = columnNames(schema, COLUMNS_LISTED_MAX)
  const why = found === 'ambiguous' ? 'is ambiguous: give its exact case' : 'is not in the table'
  throw invalid(`column ${name.slice(0, 100)} ${why}`, { column: name.slice(0, 100), columns })
}

function comparable(found: Found, column: string, what: string): Found {
  const { type } = found
  if (!isNested(type) && !NOT_COMPARED.has(type.kind)) return found
  throw invalid(`column ${column} of type ${typeName(type)} cannot be ${what}`, { column })
}

function resultOf(columns: readonly { readonly name: string; readonly type: Type }[]): Schema {
  const fields = columns.map(({ name, type }, i): Field => {
    return { id: i + 1, name, required: false, type }
  })
  requireDistinctNames(fields)
  return { schemaId: 0, fields: assignFreshIds(fields, 1).fields, identifierFieldIds: [] }
}

function orderTerm(
  { descending = false, nullsFirst = false }: OrderRequest,
  by: OrderTerm['by'],
): OrderTerm {
  return { by, isDescending: descending, isNullsFirst: nullsFirst }
}

function invalid(detail: string, facts: Readonly<Record<string, unknown>> = {}): CatalogError {
  return new CatalogError('query-invalid', detail, { facts })
}
