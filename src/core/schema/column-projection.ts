import { MICROS_PER_DAY, NANOS_PER_DAY } from '../value/date-time.ts'
import { valueFromJson } from '../value/single-value.ts'
import { type Field, isNested, type PrimitiveType } from '../value/type.ts'
import type { Value } from '../value/value.ts'
import { fieldsByName, type NamedColumn } from './field-resolution.ts'
import type { ColumnNames } from './name-mapping.ts'

/** Values of columns in all rows of a file, by field id; null is NULL. */
export type ConstantColumns = ReadonlyMap<number, Value | null>

export const NO_CONSTANTS: ConstantColumns = new Map()

/** What is known about columns besides the file. */
export interface ColumnKnowledge {
  /** The partition of the file says what these are. */
  readonly constants: ConstantColumns
  readonly names: ColumnNames
  /** Ids in the file of fields that have others in the table; by default they are the same. */
  readonly idsInFile?: ReadonlyMap<number, number>
}

/**
 * Where the fields of a struct are among the columns of a file, or of a struct in it: an index by
 * field id. A field that is not in the result is absent, and every row has its `absentValue`. Every
 * reader of rows decides by these two (Iceberg spec, "Column Projection").
 */
export function projectColumns(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
  known: ColumnKnowledge,
): ReadonlyMap<number, number> {
  const { idsInFile } = known
  if (idsInFile === undefined) return projectFields(columns, fields, known)
  const idInFile = ({ id }: Field) => idsInFile.get(id) ?? id
  const inFile = fields.map((field) => ({ ...field, id: idInFile(field) }))
  const found = projectFields(columns, inFile, known)
  return new Map(
    fields.flatMap((field) => {
      const index = found.get(idInFile(field))
      return index === undefined ? [] : [[field.id, index] as const]
    }),
  )
}

function projectFields(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
  { constants, names }: ColumnKnowledge,
): ReadonlyMap<number, number> {
  if (columns.some(({ fieldId }) => fieldId !== undefined)) return projectById(columns, fields)
  const found = names.isGuessed
    ? projectByGuess(columns, fields, names)
    : projectByMapping(columns, fields, names)
  // Without field ids the first rule comes before the names: the partition's value counts.
  for (const fieldId of constants.keys()) found.delete(fieldId)
  return found
}

/** Only ids count: two columns may have exchanged their names since the file was written. */
function projectById(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  const wanted = new Set(fields.map((field) => field.id))
  for (const [index, { fieldId }] of columns.entries()) {
    if (fieldId === undefined || !wanted.has(fieldId) || found.has(fieldId)) continue
    found.set(fieldId, index)
  }
  return found
}

function projectByMapping(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
  { mapping }: ColumnNames,
): Map<number, number> {
  const found = new Map<number, number>()
  const namesById = new Map(mapping.map(({ fieldId, names }) => [fieldId, names]))
  for (const { id } of fields) {
    const names = namesById.get(id) ?? []
    const index = columns.findIndex(({ name }) => names.includes(name))
    if (index >= 0) found.set(id, index)
  }
  return found
}

function projectByGuess(
  columns: readonly NamedColumn[],
  fields: readonly Field[],
  { mapping }: ColumnNames,
): Map<number, number> {
  const found = new Map<number, number>()
  for (const [index, resolution] of fieldsByName(columns, fields, mapping).entries()) {
    if (resolution.outcome !== 'found') continue
    const { id, name } = resolution.field
    // A name as it is written comes before one that differs in case.
    if (!found.has(id) || columns[index]?.name === name) found.set(id, index)
  }
  return found
}

/**
 * The value of a column that the file lacks: its partition's, else its initial default, else null.
 * A nested column has none but null: whoever reads one refuses other defaults.
 */
export function absentValue(
  { id, type, initialDefault }: Field,
  constants: ConstantColumns,
): Value | null {
  if (isNested(type)) return null
  const constant = constants.get(id)
  if (constant !== undefined) return constant === null ? null : widened(type, constant)
  if (initialDefault === undefined || initialDefault === null) return null
  return valueFromJson(type, initialDefault)
}

/** A manifest written before its column was widened has the narrower value. */
function widened({ kind }: PrimitiveType, value: Value): Value {
  if (typeof value !== 'number') return value
  switch (kind) {
    case 'long':
      return BigInt(value)
    case 'timestamp':
      return BigInt(value) * MICROS_PER_DAY
    case 'timestamp_ns':
      return BigInt(value) * NANOS_PER_DAY
    default:
      return value
  }
}
