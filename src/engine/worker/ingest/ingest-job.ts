import { statSync, symlinkSync } from 'node:fs'
import { allFields } from '../../../core/schema/schema-lookup.ts'
import { findValueFromJson, valueToText } from '../../../core/value/single-value.ts'
import { type Field, isNested, type Schema } from '../../../core/value/type.ts'
import type { IngestJob, IngestResult, JobResult } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import type { TaskPlace } from '../export/export-job.ts'
import { parquetOptions } from '../sql/copy-options.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { withSession } from '../sql/session.ts'
import { quoteConstant, quoteName } from '../sql/sql-text.ts'
import { typeSql } from '../sql/type-sql.ts'
import { type CsvField, CsvParser } from './csv-parser.ts'
import { hasRepeatedKeys, parseJsonExactly } from './json-row.ts'
import { fromPostgres } from './postgres-text.ts'
import { RowInvalid, shown } from './row-invalid.ts'
import { readWholeLines } from './text-lines.ts'
import { WireFile } from './wire-file.ts'
import { FieldNames, ValueInvalid, valuesByField, wireValue } from './wire-json.ts'
import { wireSql } from './wire-sql.ts'
import { expectation, hint, wireText } from './wire-text.ts'

const TEXT_NAME = 'text'
const WIRE_NAME = 'wire.csv'
/** DuckDB's default row size. */
const ROW_BYTES_MIN = 2 * 1024 * 1024
/** DuckDB's default; for longer rows it would take sixteen times as much as they need. */
const BUFFER_BYTES_MIN = 16 * ROW_BYTES_MIN

/**
 * Converts a text. Every value is checked here, where the line is known, so that nothing can fail
 * in DuckDB.
 */
export async function runIngest(job: IngestJob, place: TaskPlace): Promise<IngestResult> {
  for (const field of job.schema.fields) typeSql(field.type, field.name)
  symlinkSync(job.path, TEXT_NAME)
  const wire = new WireFile(WIRE_NAME, { hasFloats: hasFloats(job.schema) })
  try {
    const { fields } = job.schema
    if (job.format === 'ndjson') await writeJsonRows(fields, wire)
    else await writeCsvRows(fields, wire, job)
  } catch (error) {
    if (!(error instanceof RowInvalid)) throw error
    return { outcome: 'row-invalid', line: error.line, detail: error.message }
  } finally {
    wire.close()
  }
  return { outcome: 'written', ...(await writeParquet(job, wire, place)) }
}

function hasFloats(schema: Schema): boolean {
  return allFields(schema).some(({ type: { kind } }) => kind === 'float' || kind === 'double')
}

async function writeCsvRows(
  fields: readonly Field[],
  wire: WireFile,
  { dialect, format }: Pick<IngestJob, 'dialect' | 'format'>,
): Promise<void> {
  const separator = format === 'tsv' ? '\t' : ','
  let columns: readonly (number | undefined)[] | undefined
  const parser = new CsvParser((record, line) => {
    if (columns === undefined) {
      columns = columnsOfHeader(record, fields, separator)
      return
    }
    // In a table of one column a blank line is its null: dumps write it so.
    const isBlank =
      record.length === 1 && record[0] === null && fields.length > 1 && dialect === undefined
    const count = record.length
    const expected = columns.filter((column) => column !== undefined).length
    if (isBlank) return
    if (count !== expected) {
      throw new RowInvalid(line, `the row has ${count} fields, but the header ${expected}`)
    }
    const found = columns
    wire.add(
      atLine(line, () =>
        fields.map((field, i) => {
          const index = found[i]
          if (index === undefined) return defaultText(field)
          return csvText(field, record[index] ?? null, dialect)
        }),
      ),
    )
  }, separator)
  for await (const text of readWholeLines(TEXT_NAME)) parser.push(text)
  parser.finish()
  if (columns === undefined) throw new RowInvalid(1, 'the header line is missing')
}

/** The column of the text for each field. */
function columnsOfHeader(
  header: readonly CsvField[],
  fields: readonly Field[],
  separator: string,
): readonly (number | undefined)[] {
  const names = new FieldNames(fields)
  const columns: (number | undefined)[] = fields.map(() => undefined)
  for (const [i, name] of header.entries()) {
    const index = names.find(name ?? '')
    if (index === undefined) throw new RowInvalid(1, unknownColumn(name ?? '', separator))
    if (columns[index] !== undefined) {
      throw new RowInvalid(1, `column ${shown(name ?? '')} is given twice`)
    }
    columns[index] = i
  }
  for (const [i, field] of fields.entries()) {
    if (columns[i] === undefined) atLine(1, () => defaultText(field))
  }
  return columns
}

function unknownColumn(name: string, separator: string): string {
  const isOtherText = /[,;\t|]/.test(name)
  const told = isOtherText
    ? `; fields are separated by ${separator === ',' ? 'commas' : 'tabs'}`
    : ''
  return `the table has no column ${shown(name)}${told}`
}

function csvText(field: Field, given: CsvField, dialect: IngestJob['dialect']): string | null {
  if (given === null) return requireNullable(field)
  const { type, name } = field
  const text = dialect === undefined || isNested(type) ? given : fromPostgres(type, given)
  if (isNested(type)) return JSON.stringify(wireValue(type, parseNested(text, name), name))
  const wire = wireText(type, text)
  if (wire !== undefined) return wire
  const told = `${shown(text)} is not ${expectation(type)}${hint(type, text)}`
  throw new ValueInvalid(`column ${shown(name)}: ${told}`)
}

function parseNested(text: string, name: string): unknown {
  try {
    const value = parseJsonExactly(text)
    if (!hasRepeatedKeys(text, value)) return value
  } catch {
    throw new ValueInvalid(`column ${shown(name)}: ${shown(text)} is not JSON`)
  }
  throw new ValueInvalid(`column ${shown(name)}: an object has a key twice`)
}

async function writeJsonRows(fields: readonly Field[], wire: WireFile): Promise<void> {
  let line = 0
  for await (const text of readWholeLines(TEXT_NAME)) {
    const rows = text.split('\n')
    // There is no row after the last line end.
    if (rows.at(-1) === '') rows.pop()
    for (const row of rows) {
      line++
      if (row.trim() !== '') wire.add(atLine(line, () => jsonTexts(fields, row)))
    }
  }
}

function jsonTexts(fields: readonly Field[], row: string): readonly (string | null)[] {
  const values = valuesByField(fields, parseRow(row), '')
  return fields.map((field, i) => {
    const value = values[i]
    if (value === undefined) return defaultText(field)
    if (value === null) return requireNullable(field)
    const wire = wireValue(field.type, value, field.name)
    return typeof wire === 'string' ? wire : JSON.stringify(wire)
  })
}

function parseRow(row: string): unknown {
  const value = parsed(row)
  if (hasRepeatedKeys(row, value)) throw new ValueInvalid('an object has a key twice')
  return value
}

function parsed(row: string): unknown {
  try {
    return parseJsonExactly(row)
  } catch {
    // Only a hint: a line that breaks off is part of an object of several lines.
    const isPart = /^\s*[[{][^}\]]*$|^\s*[\]}]/.test(row)
    const hint = isPart ? ', as each object is written on one line' : ''
    throw new ValueInvalid(`the line is not JSON${hint}: ${shown(row)}`)
  }
}

function defaultText(field: Field): string | null {
  const { type, writeDefault } = field
  if (writeDefault === undefined || writeDefault === null || isNested(type)) {
    return requireNullable(field)
  }
  const value = findValueFromJson(type, writeDefault)
  if (value === undefined) return requireNullable(field)
  const text =
    value instanceof Uint8Array && type.kind !== 'uuid'
      ? Buffer.from(value).toString('base64')
      : valueToText(type, value)
  return wireText(type, text) ?? null
}

function requireNullable(field: Field): null {
  if (field.required) throw new ValueInvalid(`column ${shown(field.name)} is required`)
  return null
}

function atLine<T>(line: number, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw error instanceof ValueInvalid ? new RowInvalid(line, error.message) : error
  }
}

async function writeParquet(
  { schema, path }: IngestJob,
  { longestRowBytes, hasMinusZero }: Pick<WireFile, 'longestRowBytes' | 'hasMinusZero'>,
  place: TaskPlace,
): Promise<JobResult> {
  const names = sqlNames(schema.fields)
  const columns = schema.fields.map(
    ({ type, name }, i) => `${wireSql(type, `c${i}`, name)} AS ${quoteName(names[i] ?? '')}`,
  )
  const types = ["'row': 'VARCHAR'", ...schema.fields.map((_, i) => `'c${i}': 'VARCHAR'`)].join(
    ', ',
  )
  const rowBytes = Math.max(ROW_BYTES_MIN, longestRowBytes + 1)
  const bufferBytes = Math.max(BUFFER_BYTES_MIN, 2 * rowBytes)
  const read =
    `read_csv(${quoteConstant(WIRE_NAME)}, auto_detect = false, header = false, delim = ',', ` +
    `quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, ` +
    `strict_mode = true, parallel = false, max_line_size = ${rowBytes}, ` +
    `buffer_size = ${bufferBytes}, columns = {${types}})`
  return await withSession({ ...place, linkedPaths: [path], trust: 'statistics' }, async (db) => {
    const copied = await db.run(
      `COPY (SELECT ${columns.join(', ')} FROM ${read}) ` +
        `TO ${quoteConstant(OUTPUT_NAME)} (${parquetOptions(schema, { hasMinusZero })})`,
    )
    finishParquet(OUTPUT_NAME, schema)
    return { rows: copied.rowsChanged, bytes: statSync(OUTPUT_NAME).size }
  })
}
