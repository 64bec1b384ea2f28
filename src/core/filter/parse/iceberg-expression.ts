import { CatalogError } from '../../errors.ts'
import { parseTransform } from '../../partition/transform.ts'
import type { ComparisonOperator } from './expression.ts'

/** A parsed `Expression` of the Iceberg REST specification, not yet bound to a schema. */
export type IcebergExpression =
  | { readonly kind: 'constant'; readonly value: boolean }
  /** A chain of one kind is one node with at least two operands. */
  | { readonly kind: 'and' | 'or'; readonly operands: readonly IcebergExpression[] }
  | { readonly kind: 'not'; readonly child: IcebergExpression }
  | IcebergPredicate

export type IcebergPredicate = { readonly term: IcebergTerm; readonly path: string } & (
  | { readonly kind: 'unary'; readonly operation: UnaryOperation }
  | {
      readonly kind: 'comparison'
      readonly operator: ComparisonOperator
      readonly value: IcebergLiteral
    }
  | { readonly kind: 'prefix'; readonly isNegated: boolean; readonly value: IcebergLiteral }
  | {
      readonly kind: 'set'
      readonly isNegated: boolean
      readonly values: readonly IcebergLiteral[]
    }
)

export type UnaryOperation = 'is-null' | 'not-null' | 'is-nan' | 'not-nan'
/** The JSON value; only the column determines its type. */
export type IcebergLiteral = boolean | number | bigint | string

export interface IcebergTerm {
  /** Full name of a column, dotted for members of structs. */
  readonly name: string
  /** Whether this is a transform of the column rather than the column itself. */
  readonly isTransformed: boolean
}

const DEPTH_MAX = 1_000
const PREDICATES_MAX = 10_000
const LITERALS_MAX = 100_000
const NAME_LENGTH_MAX = 10_000

const COMPARISONS: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['lt', '<'],
  ['lt-eq', '<='],
  ['gt', '>'],
  ['gt-eq', '>='],
  ['eq', '='],
  ['not-eq', '!='],
])
const UNARY: readonly UnaryOperation[] = ['is-null', 'not-null', 'is-nan', 'not-nan']

/**
 * Parses untrusted JSON, and limits what binding and pruning can cost. Throws `filter-invalid`,
 * which names the JSON path.
 */
export function parseIcebergExpression(json: unknown): IcebergExpression {
  return new ExpressionReader().read(json, '$', 0)
}

/** A `filter-invalid` error for one place in an expression. */
export function expressionInvalid(path: string, problem: string): CatalogError {
  return new CatalogError('filter-invalid', `Invalid filter at ${path}: ${problem}`, {
    facts: { path },
  })
}

class ExpressionReader {
  #predicates = 0
  #literals = 0

  read(json: unknown, path: string, depth: number): IcebergExpression {
    if (typeof json === 'boolean') return { kind: 'constant', value: json }
    if (depth > DEPTH_MAX) throw expressionInvalid(shorten(path), 'too many levels')
    const node = objectOf(json, path)
    const type = typeOf(node, path)
    switch (type) {
      case 'true':
      case 'false':
        return { kind: 'constant', value: type === 'true' }
      case 'literal':
        return { kind: 'constant', value: booleanOf(member(node, 'value', path), path) }
      case 'not':
        return {
          kind: 'not',
          child: this.read(member(node, 'child', path), at(path, 'child'), depth + 1),
        }
      case 'and':
      case 'or':
        return this.#junction(type, node, path, depth)
      default:
        return this.#predicate(type, node, path)
    }
  }

  #junction(kind: 'and' | 'or', node: JsonObject, path: string, depth: number): IcebergExpression {
    const sides = (['left', 'right'] as const).map((side) =>
      this.read(member(node, side, path), at(path, side), depth + 1),
    )
    const operands = sides.flatMap((side) => (side.kind === kind ? side.operands : [side]))
    return { kind, operands }
  }

  #predicate(type: string, node: JsonObject, path: string): IcebergPredicate {
    this.#predicates += 1
    if (this.#predicates > PREDICATES_MAX) {
      throw expressionInvalid(shorten(path), `more than ${PREDICATES_MAX} predicates`)
    }
    const operation = UNARY.find((name) => name === type)
    const operator = COMPARISONS.get(type)
    const isSet = type === 'in' || type === 'not-in'
    const isPrefix = type === 'starts-with' || type === 'not-starts-with'
    if (operation === undefined && operator === undefined && !isSet && !isPrefix) {
      throw expressionInvalid(path, `${quoted(type)} is not a type of expression`)
    }
    const common = { term: readTerm(member(node, 'term', path), at(path, 'term')), path }
    if (operation !== undefined) return { kind: 'unary', operation, ...common }
    const isNegated = type.startsWith('not-')
    if (isSet) return { kind: 'set', isNegated, values: this.#values(node, path), ...common }
    const value = this.#literal(literalOf(node, path), at(path, 'value'))
    if (operator !== undefined) return { kind: 'comparison', operator, value, ...common }
    return { kind: 'prefix', isNegated, value, ...common }
  }

  #values(node: JsonObject, path: string): readonly IcebergLiteral[] {
    const values = member(node, 'values', path)
    if (!Array.isArray(values)) throw expressionInvalid(at(path, 'values'), 'expected an array')
    return values.map((value, i) => this.#literal(value, `${at(path, 'values')}[${i}]`))
  }

  #literal(json: unknown, path: string): IcebergLiteral {
    this.#literals += 1
    if (this.#literals > LITERALS_MAX) {
      throw expressionInvalid(path, `more than ${LITERALS_MAX} literals`)
    }
    const value = isObject(json) && typeOf(json, path) === 'literal' ? json['value'] : json
    switch (typeof value) {
      case 'boolean':
      case 'number':
      case 'bigint':
      case 'string':
        return value
      default:
        throw expressionInvalid(path, 'expected a primitive value')
    }
  }
}

type JsonObject = Readonly<Record<string, unknown>>

/** Some clients send the literal of a comparison as a list of one. */
function literalOf(node: JsonObject, path: string): unknown {
  if (Object.hasOwn(node, 'value')) return node['value']
  const values = Object.hasOwn(node, 'values') ? node['values'] : undefined
  if (Array.isArray(values) && values.length === 1) return values[0]
  throw expressionInvalid(at(path, 'value'), 'is missing')
}

function readTerm(json: unknown, path: string): IcebergTerm {
  if (typeof json === 'string') return { name: boundedName(json, path), isTransformed: false }
  const node = objectOf(json, path)
  const type = typeOf(node, path)
  if (type === 'reference') {
    return readTerm(textOf(member(node, 'term', path), at(path, 'term')), at(path, 'term'))
  }
  if (type !== 'transform') throw expressionInvalid(path, `${quoted(type)} is not a type of term`)
  const transform = parseTransform(textOf(member(node, 'transform', path), at(path, 'transform')))
  const inner = readTerm(member(node, 'term', path), at(path, 'term'))
  if (inner.isTransformed) throw expressionInvalid(path, 'a transform of a transform')
  return { name: inner.name, isTransformed: transform.kind !== 'identity' }
}

function boundedName(name: string, path: string): string {
  if (name === '' || name.length > NAME_LENGTH_MAX) throw expressionInvalid(path, 'no column name')
  return name
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function objectOf(json: unknown, path: string): JsonObject {
  if (!isObject(json)) throw expressionInvalid(path, 'expected an object')
  return json
}

function member(node: JsonObject, key: string, path: string): unknown {
  if (!Object.hasOwn(node, key)) throw expressionInvalid(at(path, key), 'is missing')
  return node[key]
}

function typeOf(node: JsonObject, path: string): string {
  return textOf(member(node, 'type', path), at(path, 'type'))
    .toLowerCase()
    .replaceAll('_', '-')
}

function textOf(json: unknown, path: string): string {
  if (typeof json !== 'string') throw expressionInvalid(path, 'expected a string')
  return json
}

function booleanOf(json: unknown, path: string): boolean {
  if (typeof json !== 'boolean') throw expressionInvalid(at(path, 'value'), 'expected a boolean')
  return json
}

/**
 * The path of a member. Deep paths are cut to their end, so that the cost is not quadratic in the
 * depth.
 */
function at(path: string, key: string): string {
  return shorten(`${path}.${key}`)
}

function shorten(path: string): string {
  return path.length <= 200 ? path : `…${path.slice(-199)}`
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
