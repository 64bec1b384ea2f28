import { CatalogError } from '../errors.ts'
import { requireValidFields } from '../schema/schema-rules.ts'
import type { Field, Schema } from '../value/type.ts'

/** A result has each name once: who reads its rows has nothing else to tell columns apart by. */
export function requireDistinctNames(fields: readonly Pick<Field, 'name'>[]): void {
  const names = new Set<string>()
  for (const { name } of fields) {
    if (names.has(name)) {
      const detail =
        `the result has two columns ${name}: ask for each column once, and give aggregates and ` +
        'what a SELECT gives names of their own with `as`'
      throw new CatalogError('query-invalid', detail, { facts: { column: name } })
    }
    names.add(name)
  }
}

/** A table has them once whatever their case, as its columns in any schema. */
export function requireTableNames({ fields }: Schema): void {
  requireDistinctNames(fields)
  requireValidFields(fields, 'query-invalid')
}
