import { allFields } from '../../../core/schema/schema-lookup.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { ExportFormat, ExportJob } from '../../engine.ts'
import { copyOptions, wholeLinesOptions } from '../sql/copy-options.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { joinedSql, xmlNodes, xmlRowSql } from '../sql/xml-dialect.ts'
import { jsonObjectSql, jsonRowSql, selectedSql } from './output-column.ts'

/** Columns, nested ones included, of a text that is written in one pass over the source. */
const ONE_PASS_COLUMNS_MAX = 400
/** Columns at the top whose values are made in one pass. */
const COLUMNS_PER_PASS = 150
const PASS_OPTIONS =
  'FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 2048, USE_TMP_FILE false, ' +
  'WRITE_BLOOM_FILTER false'

/** A query of the source's rows whose result is a file of the task's folder. */
export interface Pass {
  /** The columns of the query. */
  readonly select: string
  readonly name: string
  /** Options of COPY. */
  readonly options: string
}

/** Passes over the source, and then the query of what they have left, row by row. */
export interface ColumnPasses {
  readonly passes: readonly Pass[]
  readonly last: { readonly query: string; readonly options: string }
}

/**
 * How a text of very many columns is written. DuckDB holds a vector of 2,048 values, and more, for
 * each step of each expression: those of 2,000 columns at once are more than a child has.
 * `undefined` where one pass does. The bytes are the same.
 */
export function columnPasses(
  { schema, target }: Pick<ExportJob, 'schema' | 'target'>,
  values: readonly string[],
  columnsPerPass = allFields(schema).length > ONE_PASS_COLUMNS_MAX ? COLUMNS_PER_PASS : undefined,
): ColumnPasses | undefined {
  const { format } = target
  if (format === 'parquet' || format === 'arrow') return undefined
  if (columnsPerPass === undefined) return undefined
  const starts: number[] = []
  for (let start = 0; start < values.length; start += columnsPerPass) starts.push(start)
  const made = starts.map((start) => partOf(format, schema, { values, start, columnsPerPass }))
  const passes = made.map((select, i) => ({ select, name: nameOf(i), options: PASS_OPTIONS }))
  const files = starts.map((_, i) => {
    return `read_parquet(${quoteConstant(nameOf(i))}, hive_partitioning = false)`
  })
  const isRows = format === 'csv' || format === 'tsv'
  const select = isRows
    ? selectedSql(
        schema.fields,
        values.map((_, i) => `p${i}`),
        format,
      )
    : rowOf(
        format,
        starts.map((_, i) => `p${i}`),
      )
  const options = isRows
    ? copyOptions({ schema, target }, { hasMinusZero: false })
    : wholeLinesOptions(target)
  return {
    passes,
    last: { query: `SELECT ${select} FROM ${files.join(' POSITIONAL JOIN ')}`, options },
  }
}

function nameOf(pass: number): string {
  return `pass-${pass}.parquet`
}

interface Slice {
  readonly values: readonly string[]
  readonly start: number
  readonly columnsPerPass: number
}

/** The columns of one pass: values where the format has columns, else one text for all of them. */
function partOf(
  format: ExportFormat,
  { fields }: Schema,
  { values, start, columnsPerPass }: Slice,
): string {
  const end = start + columnsPerPass
  const part = values.slice(start, end)
  const own = fields.slice(start, end)
  const name = `p${start / columnsPerPass}`
  switch (format) {
    case 'json':
      return `${inside(`CAST(json_array(${part.join(', ')}) AS VARCHAR)`)} AS ${name}`
    case 'ndjson':
      return `${inside(jsonObjectSql(own, part))} AS ${name}`
    case 'xml':
      return `${joinedSql(xmlNodes(fields, values).slice(start, end))} AS ${name}`
    default:
      return part.map((value, i) => `${value} AS p${start + i}`).join(', ')
  }
}

/** A text of JSON without its brackets. */
function inside(json: string): string {
  return `${json}[2:-2]`
}

function rowOf(format: ExportFormat, parts: readonly string[]): string {
  if (format === 'xml') return xmlRowSql(parts)
  const joined = parts.join(` || ',' || `)
  return format === 'json' ? jsonRowSql(`'[' || ${joined} || ']'`) : `'{' || ${joined} || '}'`
}
