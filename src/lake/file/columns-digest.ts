import { createHash } from 'node:crypto'
import { type NameMapping, nameMappingToJson } from '../../core/schema/name-mapping.ts'
import { allFields } from '../../core/schema/schema-lookup.ts'
import type { TableDefinition } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { schemaToJson } from '../../formats/metadata/schema-json.ts'
import { columnNames } from './column-names.ts'

/** What columns are found by: files without field ids use the mapping. */
export function columnsJson(definition: TableDefinition, schema: Schema) {
  const { mapping } = columnNames(definition, schema)
  return {
    schema: schemaToJson({ ...schema, schemaId: 0 }),
    mapping: nameMappingToJson(mapping),
  }
}

/** Everything that determines how columns are found. */
export function columnsText(definition: TableDefinition, schema: Schema): string {
  const { isGuessed } = columnNames(definition, schema)
  return stringifyExactJson({ ...columnsJson(definition, schema), guessed: isGuessed })
}

/** Every request asks for it. */
const DIGEST_BY_SCHEMA = new WeakMap<TableDefinition, WeakMap<Schema, string>>()

export function columnsDigest(definition: TableDefinition, schema: Schema): string {
  const bySchema = DIGEST_BY_SCHEMA.get(definition) ?? new WeakMap<Schema, string>()
  DIGEST_BY_SCHEMA.set(definition, bySchema)
  const known = bySchema.get(schema)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(columnsText(definition, schema)).digest('hex')
  bySchema.set(schema, digest)
  return digest
}

/**
 * The same for whoever reads these columns and no others: equal whatever names other columns have,
 * and in whatever order the mapping has its own.
 */
export function readColumnsDigest(definition: TableDefinition, columns: Schema): string {
  const { mapping, isGuessed: guessed } = columnNames(definition, columns)
  const ids = new Set(allFields(columns).map(({ id }) => id))
  const schema = schemaToJson({ ...columns, schemaId: 0 })
  const text = stringifyExactJson({ schema, mapping: namesOf(mapping, ids), guessed })
  return createHash('sha256').update(text).digest('hex')
}

function namesOf(mapping: NameMapping, ids: ReadonlySet<number>): readonly unknown[] {
  return mapping
    .flatMap(({ fieldId, names, fields = [] }) =>
      fieldId === undefined || !ids.has(fieldId)
        ? []
        : [{ fieldId, names: names.toSorted(), fields: namesOf(fields, ids) }],
    )
    .toSorted((left, right) => left.fieldId - right.fieldId)
}
