import { type ColumnDefinition, parseColumns } from '../../../src/core/schema/column-definition.ts'
import type { Schema } from '../../../src/core/value/type.ts'

export const COLUMNS: readonly ColumnDefinition[] = [
  { name: 'id', type: 'int', nullable: false },
  { name: 'day', type: 'date' },
  { name: 'price', type: 'decimal(9,2)', aliases: ['cost'] },
  {
    name: 'address',
    type: {
      type: 'struct',
      fields: [
        { name: 'zip', type: 'string' },
        { name: 'city', type: 'string' },
      ],
    },
  },
  { name: 'scores', type: 'map<string, list<float>>' },
]
export const PARSED = parseColumns(COLUMNS)
export const SCHEMA: Schema = {
  schemaId: 0,
  fields: PARSED.fields,
  identifierFieldIds: [1],
}

/** A change that is refused for a column, by a rule that reads like this. */
export function refusedColumn(column: string, rule: string, code = 'schema-change-invalid'): Error {
  return expect.objectContaining({
    code,
    facts: { column, rule: expect.stringContaining(rule) },
  })
}
