import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import { type PathValue, pathValues, valueOfPath } from '../../core/partition/path-values.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../../core/schema/column-projection.ts'
import { fieldsByName } from '../../core/schema/field-resolution.ts'
import type { NameMapping } from '../../core/schema/name-mapping.ts'
import type { SchemaProblem } from '../../core/schema/schema-problem.ts'
import { type Field, isNested, type Schema, typeName } from '../../core/value/type.ts'
import type { Value } from '../../core/value/value.ts'
import type { ParquetFooter } from '../../formats/parquet/footer/footer.ts'
import { namesInFile } from '../../formats/parquet/schema/names-in-file.ts'
import { schemaMismatch } from '../../formats/parquet/schema/schema-match.ts'

/** What the folders of a file say of columns that it lacks (Hive layouts). */
export interface PathColumns {
  /** Values of columns that the table is partitioned by; null is NULL. */
  readonly constants: ConstantColumns
  /** For people: what was taken from the path, and what was not. */
  readonly notes: readonly string[]
}

const NOTHING: PathColumns = { constants: NO_CONSTANTS, notes: [] }

/**
 * Only of an identity partition field can readers find the value: in the manifest (Iceberg spec,
 * "Column Projection"). A column that the file has is not asked for. Throws `file-schema-mismatch`
 * for a value that is not of the column's type.
 */
export function columnsOfPath(
  path: string,
  footer: ParquetFooter,
  table: {
    readonly schema: Schema
    readonly spec: PartitionSpec
    readonly nameMapping: NameMapping
  },
): PathColumns {
  const values = pathValues(path)
  if (values.length === 0) return NOTHING
  const { schema, spec, nameMapping } = table
  const names = { mapping: nameMapping, isGuessed: true }
  const inFile = namesInFile(footer, schema.fields, { names, constants: NO_CONSTANTS })
  const identities = spec.fields.filter(({ transform }) => transform.kind === 'identity')
  const isTaken = new Set(identities.map(({ sourceId }) => sourceId))
  const constants = new Map<number, Value | null>()
  const notes: string[] = []
  const problems: SchemaProblem[] = []
  const fields = fieldsByName(values, schema.fields, nameMapping)
  for (const [i, value] of values.entries()) {
    const resolved = fields[i]
    if (resolved?.outcome !== 'found' || inFile.has(resolved.field.id)) continue
    const { field } = resolved
    if (!isTaken.has(field.id)) {
      notes.push(notTaken(field, value))
      continue
    }
    const read = readValue(field, value)
    if (read === undefined || constants.has(field.id)) {
      problems.push(problemOf(field, value, read === undefined))
      continue
    }
    constants.set(field.id, read)
    notes.push(`${field.name}: not in the file, taken from its folder ${value.folder}`)
  }
  if (problems.length > 0) throw schemaMismatch(problems)
  return { constants, notes }
}

function readValue({ type, required }: Field, { text }: PathValue): Value | null | undefined {
  if (isNested(type) || text === undefined) return undefined
  if (text === null) return required ? undefined : null
  return valueOfPath(type, text)
}

function notTaken({ name }: Field, { folder }: PathValue): string {
  return (
    `${name}: not in the file, and not taken from its folder ${folder}, since the table is not ` +
    `partitioned by identity(${name}): rows have the column’s default, or null`
  )
}

function problemOf({ name, type, required }: Field, { folder }: PathValue, isWrong: boolean) {
  const expected = `${typeName(type)}${required ? ' and required' : ''}`
  const detail = isWrong
    ? `is ${expected} in the table, and its folder ${folder} says no such value`
    : `has a second folder in the path, ${folder}`
  return { column: name, rule: 'path-value' as const, detail }
}
