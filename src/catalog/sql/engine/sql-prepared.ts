import type { Compilable, CompiledQuery } from 'kysely'
import type { Connection } from './sql-engine.ts'

/** Stands for a value while the text is made. */
class Parameter {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Names the value in the query: `param('tableUuid')`. */
export type Param<P> = <K extends keyof P & string>(name: K) => P[K]

/**
 * A query whose text is made once for each engine, and has values put in from then on: building it
 * again costs as much as running it does in SQLite. What `build` makes must be the same text
 * whatever the values.
 */
export function prepared<P extends object, R>(
  build: (connection: Connection, param: Param<P>) => Compilable<R>,
): (connection: Connection, values: P) => CompiledQuery<R> {
  // One adapter belongs to all connections and transactions of an engine.
  const byAdapter = new WeakMap<object, CompiledQuery<R>>()
  const param = ((name: string) => new Parameter(name)) as unknown as Param<P>
  return (connection, values) => {
    const { adapter } = connection.getExecutor()
    let compiled = byAdapter.get(adapter)
    if (compiled === undefined) {
      compiled = build(connection, param).compile()
      byAdapter.set(adapter, compiled)
    }
    return { ...compiled, parameters: compiled.parameters.map((value) => filledIn(value, values)) }
  }
}

function filledIn(value: unknown, values: object): unknown {
  return value instanceof Parameter ? values[value.name as keyof typeof values] : value
}

/** A row whose columns are values of their own names. */
export function rowOf<P extends object, K extends keyof P & string>(
  columns: readonly K[],
  param: Param<P>,
): Pick<P, K> {
  return Object.fromEntries(columns.map((column) => [column, param(column)])) as Pick<P, K>
}
