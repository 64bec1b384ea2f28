import { foldName } from '../schema/schema-lookup.ts'
import type { Field, Schema } from '../value/type.ts'

/** Columns of data files (Iceberg spec, "Reserved Field IDs"); no schema of a table has them. */
export const ROW_ID_FIELD: Field = {
  id: 2_147_483_540,
  name: '_row_id',
  required: false,
  type: { kind: 'long' },
}
export const LAST_UPDATED_FIELD: Field = {
  id: 2_147_483_539,
  name: '_last_updated_sequence_number',
  required: false,
  type: { kind: 'long' },
}
const FIELDS = [ROW_ID_FIELD, LAST_UPDATED_FIELD]
const IDS: ReadonlySet<number> = new Set(FIELDS.map(({ id }) => id))
const NAMES: ReadonlySet<string> = new Set(FIELDS.map(({ name }) => foldName(name)))

export function isRowIdField(fieldId: number): boolean {
  return IDS.has(fieldId)
}

/** The schema of a file that says of each row which one it is, and since when. */
export function withRowIdFields(schema: Schema): Schema {
  return { ...schema, fields: [...schema.fields, ...FIELDS] }
}

/** False where a column of the table has one of the names: a file cannot have both. */
export function canHaveRowIdFields({ fields }: Schema): boolean {
  return fields.every(({ name }) => !NAMES.has(foldName(name)))
}
