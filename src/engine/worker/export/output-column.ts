import { CatalogError } from '../../../core/errors.ts'
import { LAST_UPDATED_FIELD, ROW_ID_FIELD } from '../../../core/file/row-id-fields.ts'
import { type ColumnKnowledge, NO_CONSTANTS } from '../../../core/schema/column-projection.ts'
import { OWN_NAMES } from '../../../core/schema/name-mapping.ts'
import { type Field, isNested } from '../../../core/value/type.ts'
import type { ExportFormat, SourceFile } from '../../engine.ts'
import { columnSql, knownBelow } from '../sql/column-sql.ts'
import { areNames, sqlNames } from '../sql/duckdb-names.ts'
import { columnNamed, type ParquetFile } from '../sql/parquet-file.ts'
import { notImplemented, quoteName } from '../sql/sql-text.ts'
import {
  csvPrimitive,
  type Dialect,
  JSON_VALUES,
  jsonObject,
  TYPED,
  withLastValues,
} from '../sql/text-dialect.ts'
import { XML_VALUES, xmlNodes, xmlRowSql } from '../sql/xml-dialect.ts'

/** A column of the output, as it is read from the source, if there is one. */
export interface ColumnOfSource {
  readonly index: number
  readonly source: SourceFile | undefined
  readonly file: ParquetFile | undefined
  /** Whether maps may have a key twice; without it, those fail. */
  readonly hasRepeatedKeys?: boolean
}

/** SQL for a column in a row of the source, as the format represents it. */
export function outputSql(field: Field, from: ColumnOfSource, format: ExportFormat): string {
  const { index, source, file } = from
  const inDialect = (dialect: Dialect) =>
    columnSql(field, sourceColumn, {
      dialect: from.hasRepeatedKeys === true ? withLastValues(dialect) : dialect,
      place,
    })
  const place = {
    column: field.name,
    depth: 0,
    known: knownBelow(knowledgeOf(source), field.id),
  }
  const nameInFile = source?.columns[index]?.nameInFile
  const sourceColumn =
    nameInFile === undefined || file === undefined
      ? undefined
      : fileColumn(file, { field, nameInFile, path: source?.path })
  const dialect = WHOLE_DIALECTS[format]
  if (dialect !== undefined) return inDialect(dialect)
  if (format !== 'csv' && format !== 'tsv') {
    const inherited = inheritedSql(field.id, source)
    const own = inDialect(TYPED)
    return inherited === undefined ? own : `coalesce(${own}, ${inherited})`
  }
  if (!isNested(field.type)) return inDialect(CSV_VALUES)
  const json = inDialect(JSON_VALUES)
  const value = sourceColumn?.sql ?? json
  return `CASE WHEN ${value} IS NOT NULL THEN CAST(to_json(${json}) AS VARCHAR) END`
}

/** What a row has where the file does not say it, in a numbered scan. */
function inheritedSql(fieldId: number, source: SourceFile | undefined): string | undefined {
  const { firstRowId, sequenceNumber } = source?.rowIds ?? {}
  if (fieldId === LAST_UPDATED_FIELD.id) return sequenceNumber?.toString()
  const isRowId = fieldId === ROW_ID_FIELD.id && firstRowId !== undefined
  return isRowId ? `${firstRowId} + row` : undefined
}

/** Formats that represent nested values in the same way as others. */
const WHOLE_DIALECTS: Partial<Record<ExportFormat, Dialect>> = {
  ndjson: JSON_VALUES,
  json: JSON_VALUES,
  xml: XML_VALUES,
}

/** What is known about the columns of a file, besides what it says itself. */
export function knowledgeOf(
  source: Pick<SourceFile, 'constants' | 'names' | 'idsInFile'> | undefined,
): ColumnKnowledge {
  const { constants = NO_CONSTANTS, names = OWN_NAMES, idsInFile } = source ?? {}
  return { constants, names, ...(idsInFile !== undefined && { idsInFile }) }
}

/** Dialect for columns that are not nested. */
const CSV_VALUES: Dialect = { ...JSON_VALUES, primitive: csvPrimitive }

function fileColumn(
  opened: ParquetFile,
  where: { field: Field; nameInFile: string; path: string | undefined },
): { file: NonNullable<ParquetFile['columns'][number]>; sql: string } {
  const { field, nameInFile, path } = where
  const index = columnNamed(opened, nameInFile)
  if (index < 0) {
    const facts = { file: path, column: nameInFile }
    throw new CatalogError('file-corrupt', `${path} has no column ${nameInFile}.`, { facts })
  }
  const file = opened.columns[index]
  if (file === undefined) throw notImplemented(field.name, unreadable(field))
  return { file, sql: `t.c${index}` }
}

function unreadable({ type }: Field): string {
  const isVariant = type.kind === 'variant'
  return isVariant ? 'variant columns are not read yet' : 'its nesting in the file is not known'
}

/**
 * The columns of the query that is written: those of the output, or one text for each row in
 * formats that DuckDB does not write.
 */
export function selectedSql(
  fields: readonly Field[],
  values: readonly string[],
  format: ExportFormat,
): string {
  switch (format) {
    case 'json':
      return jsonRowSql(`CAST(json_array(${values.join(', ')}) AS VARCHAR)`)
    case 'xml':
      return xmlRowSql(xmlNodes(fields, values))
    case 'ndjson':
    case 'csv':
    case 'tsv':
      if (!areNames(fields)) return selectedAnyNames(fields, values, format)
      break
    default:
      break
  }
  return sqlNames(fields)
    .map((name, i) => `${values[i]} AS ${quoteName(name)}`)
    .join(', ')
}

/** A line of the records of a JSON dump, from the text of its array. */
export function jsonRowSql(array: string): string {
  return `'    ' || ${array} || ','`
}

/** Columns whose names are none to DuckDB: CSV has them in its header, which is made elsewhere. */
function selectedAnyNames(
  fields: readonly Field[],
  values: readonly string[],
  format: 'ndjson' | 'csv' | 'tsv',
): string {
  if (format !== 'ndjson') return values.map((value, i) => `${value} AS c${i}`).join(', ')
  return jsonObjectSql(fields, values)
}

/** The text of a row as COPY writes it to a file of JSON. */
export function jsonLineSql(fields: readonly Field[], values: readonly string[]): string {
  if (!areNames(fields)) return jsonObjectSql(fields, values)
  const members = fields.map(({ name }, i) => ({ name, value: values[i] ?? 'NULL' }))
  return `CAST(to_json(${JSON_VALUES.struct(members)}) AS VARCHAR)`
}

/** The text of a row as a JSON object. */
export function jsonObjectSql(fields: readonly Field[], values: readonly string[]): string {
  const members = fields.map(({ name }, i) => ({ name, value: values[i] ?? 'NULL' }))
  return `CAST(${jsonObject(members)} AS VARCHAR)`
}
