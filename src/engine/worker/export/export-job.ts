import { statSync, unlinkSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import type { ExportJob, ExportRequest, JobResult, SourceFile } from '../../engine.ts'
import { OUTPUT_NAME } from '../../protocol.ts'
import { writeArrowStream } from '../sql/arrow-file.ts'
import { copyOptions } from '../sql/copy-options.ts'
import { blaming, withAnyMaps } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { hasMinusZero } from '../sql/minus-zero.ts'
import { openParquetFile, type ParquetFile } from '../sql/parquet-file.ts'
import { withSession } from '../sql/session.ts'
import { quoteConstant } from '../sql/sql-text.ts'
import { blamingColumn } from './column-at-fault.ts'
import { columnPasses, type Pass } from './column-passes.ts'
import { deletedRows } from './deletes.ts'
import { gzipFile } from './gzip.ts'
import { outputSql, selectedSql } from './output-column.ts'
import type { RowSet } from './row-set.ts'
import { linkFiles } from './source-files.ts'

/** Intermediate file: the text before compression, or the rows before conversion to Arrow. */
const INTERIM_NAME = 'interim'

export interface TaskPlace {
  readonly folder: string
  readonly memoryBytes: number
}

export async function runExport(job: ExportRequest, place: TaskPlace): Promise<JobResult> {
  const { source, target } = job
  requireConvertible(job)
  if (source === undefined) return await exportNothing(job, place)
  const rows = await blaming(source.path, async () => {
    const linked = linkFiles(source)
    const options = { ...place, linkedPaths: linked.paths }
    const deleted = hasDeletes(source)
      ? await withSession({ ...options, trust: 'values' }, (connection) =>
          deletedRows(connection, { source, linked }),
        )
      : undefined
    const trust = source.hasUnsureBounds === true ? 'values' : 'statistics'
    return await withSession({ ...options, trust }, async (connection) => {
      const file = await openParquetFile(connection, linked.source)
      const from = {
        file,
        deleted: deleted?.isEmpty === false ? deleted : undefined,
        isNumbered: source.rowIds !== undefined,
      }
      const copying = { job, from, copyName: copyNameOf(target) }
      return await blamingColumn(connection, file, source, () =>
        withAnyMaps((hasRepeatedKeys) => copy(connection, { ...copying, hasRepeatedKeys })),
      )
    })
  })
  // What is read here is our own.
  return await finish(job, rows)
}

async function exportNothing(job: ExportRequest, place: TaskPlace): Promise<JobResult> {
  const options = { ...place, linkedPaths: [], trust: 'statistics' } as const
  const rows = await withSession(options, (connection) =>
    copy(connection, { job, from: undefined, copyName: copyNameOf(job.target) }),
  )
  return await finish(job, rows)
}

function copyNameOf({ format, compression }: ExportJob['target']): string {
  return compression === 'gzip' || format === 'arrow' ? INTERIM_NAME : OUTPUT_NAME
}

async function finish(
  { target: { format, compression }, schema }: ExportRequest,
  rows: number,
): Promise<JobResult> {
  if (format === 'parquet') finishParquet(OUTPUT_NAME, schema)
  if (compression === 'gzip') {
    await gzipFile(INTERIM_NAME, OUTPUT_NAME)
    unlinkSync(INTERIM_NAME)
  }
  if (format === 'arrow') {
    finishParquet(INTERIM_NAME, schema)
    const written = await writeArrowStream(INTERIM_NAME, OUTPUT_NAME)
    unlinkSync(INTERIM_NAME)
    if (written !== rows) {
      throw new CatalogError('engine-failed', `Of ${rows} rows ${written} were written as Arrow.`)
    }
  }
  return { rows, bytes: statSync(OUTPUT_NAME).size }
}

export function hasDeletes(source: SourceFile): boolean {
  const { deletedRows = [], positionDeletes = [], equalityDeletes = [] } = source
  return deletedRows.length + positionDeletes.length + equalityDeletes.length > 0
}

function requireConvertible({ schema, target, source }: ExportRequest): void {
  const columns = source?.columns ?? schema.fields.map(({ id }) => ({ fieldId: id }))
  const isMatched =
    schema.fields.length > 0 &&
    schema.fields.length === columns.length &&
    schema.fields.every((field, i) => field.id === columns[i]?.fieldId)
  if (!isMatched) throw new Error('an export gives one source column for each field, in order')
  const isText = !['parquet', 'arrow'].includes(target.format)
  if (!isText && target.compression !== 'none') {
    throw new Error(`${target.format} compresses internally: request no compression`)
  }
}

interface From {
  readonly file: ParquetFile
  readonly deleted: RowSet | undefined
  /** Whether values are made of the positions of rows. */
  readonly isNumbered: boolean
}

interface Copying {
  readonly job: ExportRequest
  readonly from: From | undefined
  readonly copyName: string
  readonly hasRepeatedKeys?: boolean
}

async function copy(
  connection: DuckDBConnection,
  { job, from, copyName, ...more }: Copying,
): Promise<number> {
  const { fields } = job.schema
  const { format } = job.target
  const values = fields.map((field, i) =>
    outputSql(field, { index: i, source: job.source, file: from?.file, ...more }, format),
  )
  const split = columnPasses(job, values)
  if (split === undefined) {
    const isLasting = format === 'parquet' && from !== undefined
    const zeros = { hasMinusZero: isLasting && (await hasMinusZero(connection, from.file)) }
    const select = selectedSql(fields, values, format)
    return copyRows(connection, from, { select, name: copyName, options: copyOptions(job, zeros) })
  }
  for (const pass of split.passes) await copyRows(connection, from, pass)
  const { query, options } = split.last
  const { rowsChanged } = await connection.run(
    `COPY (${query}) TO ${quoteConstant(copyName)} (${options})`,
  )
  for (const { name } of split.passes) unlinkSync(name)
  return rowsChanged
}

async function copyRows(
  connection: DuckDBConnection,
  from: From | undefined,
  { select, name, options }: Pass,
): Promise<number> {
  const query = `SELECT ${select} FROM ${rowsSql(from)}`
  const statement = await connection.prepare(
    `COPY (${query}) TO ${quoteConstant(name)} (${options})`,
  )
  if (from?.deleted !== undefined) statement.bindBlob(1, from.deleted.bits)
  return (await statement.run()).rowsChanged
}

function rowsSql(from: From | undefined): string {
  if (from === undefined) return 'range(0)'
  const { file, deleted, isNumbered } = from
  if (deleted === undefined) return isNumbered ? file.numberedScan : file.scan
  return `${file.numberedScan} WHERE get_bit(CAST($1 AS BIT), CAST(row AS INTEGER)) = 0`
}
