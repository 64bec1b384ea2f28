import { statSync } from 'node:fs'
import {
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBInstance,
  USMALLINT,
} from '@duckdb/node-api'
import { CatalogError } from '../../../core/errors.ts'
import { PartitionNumbers } from '../../../core/partition/partition-numbers.ts'
import type { JobResult, SplitJob, SplitResult } from '../../engine.ts'
import { outputPartName } from '../../protocol.ts'
import { blamingColumn } from '../export/column-at-fault.ts'
import type { TaskPlace } from '../export/export-job.ts'
import { outputSql } from '../export/output-column.ts'
import { linkFiles } from '../export/source-files.ts'
import { parquetOptions } from '../sql/copy-options.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { blaming } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { hasMinusZero } from '../sql/minus-zero.ts'
import { openParquetFile, type ParquetFile } from '../sql/parquet-file.ts'
import { withSession } from '../sql/session.ts'
import { quoteConstant, quoteName } from '../sql/sql-text.ts'
import { areTexts, partitionValue, sourceSql } from './partition-source.ts'

/** With so few partitions it costs less to read the source once for each than to sort its rows. */
const PASSES_MAX = 6
const SORTED_NAME = 'sorted'
/** Rows of the table of numbers are in the order of the source's. */
const NUMBERS = 'numbers'

/**
 * Writes a file for each partition of the rows, which keep their order. First the partition of
 * every row is numbered by our own transforms; then rows are picked by number.
 */
export async function runSplit(job: SplitJob, place: TaskPlace): Promise<SplitResult> {
  return await blaming(job.source.path, async () => {
    const linked = linkFiles(job.source)
    const options = { ...place, linkedPaths: linked.paths, trust: 'statistics' } as const
    return await withSession(options, async (connection, instance) => {
      const file = await openParquetFile(connection, linked.source)
      const { source } = job
      return await blamingColumn(connection, file, source, () =>
        split(connection, instance, file, job),
      )
    })
  })
}

async function split(
  connection: DuckDBConnection,
  instance: DuckDBInstance,
  file: ParquetFile,
  job: SplitJob,
): Promise<SplitResult> {
  const { rows, partitions } = await numberRows({ connection, instance }, file, job)
  const [only, ...others] = partitions
  if (only !== undefined && others.length === 0) return { outcome: 'single', partition: only }
  const written = await writeParts(connection, { file, job, count: partitions.length })
  requireEveryRow(written, rows)
  const parts = written.map((part, i) => ({ ...part, partition: partitions[i] ?? [] }))
  return { outcome: 'split', parts }
}

/** Two connections: what is read as a stream ends when its connection does anything else. */
async function numberRows(
  { connection, instance }: { connection: DuckDBConnection; instance: DuckDBInstance },
  file: ParquetFile,
  { source, schema, spec, partitionsMax }: SplitJob,
) {
  const numbers = new PartitionNumbers(spec, schema, partitionsMax)
  await connection.run(`CREATE TABLE ${NUMBERS} (number USMALLINT)`)
  const sources = sourceSql(spec, schema, (field, index) =>
    outputSql(field, { index, source, file }, 'parquet'),
  )
  const texts = areTexts(spec, schema)
  const values = await connection.stream(`SELECT ${sources.join(', ')} FROM ${file.scan}`)
  const writing = await instance.connect()
  let rows = 0
  try {
    const appender = await writing.createAppender(NUMBERS)
    for (let chunk = await values.fetchChunk(); chunk !== null; chunk = await values.fetchChunk()) {
      if (chunk.rowCount === 0) break
      rows += chunk.rowCount
      appender.appendDataChunk(numbersOf(chunk, texts, numbers))
    }
    appender.closeSync()
  } finally {
    writing.closeSync()
  }
  numbers.requireAll()
  return { rows, partitions: numbers.partitions }
}

function numbersOf(
  chunk: DuckDBDataChunk,
  areText: readonly boolean[],
  numbers: PartitionNumbers,
): DuckDBDataChunk {
  const vectors = areText.map((isText, i) => ({ isText, vector: chunk.getColumnVector(i) }))
  const found = Array.from({ length: chunk.rowCount }, (_, row) => {
    const values = vectors.map(({ vector, isText }) => partitionValue(vector.getItem(row), isText))
    return numbers.numberOf(values) ?? null
  })
  const written = DuckDBDataChunk.create([USMALLINT], chunk.rowCount)
  written.setColumnValues(0, found)
  return written
}

interface Parts {
  readonly file: ParquetFile
  readonly job: SplitJob
  readonly count: number
}

async function writeParts(
  connection: DuckDBConnection,
  parts: Parts,
): Promise<readonly JobResult[]> {
  const { schema } = parts.job
  const numbered = parts.count > PASSES_MAX ? await sort(connection, parts) : numberedSql(parts)
  const names = sqlNames(schema.fields)
  const columns = names.map((name, i) => `v${i} AS ${quoteName(name)}`).join(', ')
  const zeros = { hasMinusZero: await hasMinusZero(connection, parts.file) }
  const options = parquetOptions(schema, zeros)
  const written: JobResult[] = []
  for (let i = 0; i < parts.count; i++) {
    const { rowsChanged } = await connection.run(
      `COPY (SELECT ${columns} FROM ${numbered} WHERE number = ${i}) ` +
        `TO ${quoteConstant(outputPartName(i))} (${options})`,
    )
    finishParquet(outputPartName(i), schema)
    written.push({ rows: rowsChanged, bytes: statSync(outputPartName(i)).size })
  }
  return written
}

/** Rows of the table's types, in the order of the source, with their numbers. */
function numberedSql({ file, job: { source, schema } }: Parts): string {
  const columns = schema.fields.map(
    (field, index) => `${outputSql(field, { index, source, file }, 'parquet')} AS v${index}`,
  )
  const rows = `(SELECT row, ${columns.join(', ')} FROM ${file.numberedScan})`
  return `(SELECT * FROM ${rows} POSITIONAL JOIN ${NUMBERS})`
}

/**
 * On the disk, so that of each part only its own row groups are read. Without dictionaries, in
 * which DuckDB takes zero and minus zero for one.
 */
async function sort(connection: DuckDBConnection, parts: Parts): Promise<string> {
  await connection.run(
    `COPY (SELECT * EXCLUDE (row) FROM ${numberedSql(parts)} ORDER BY number, row) ` +
      `TO ${quoteConstant(SORTED_NAME)} (FORMAT parquet, COMPRESSION snappy, ` +
      'USE_TMP_FILE false, WRITE_BLOOM_FILTER false, DICTIONARY_SIZE_LIMIT 0)',
  )
  return `read_parquet(${quoteConstant(SORTED_NAME)}, hive_partitioning = false)`
}

function requireEveryRow(written: readonly JobResult[], rows: number): void {
  const sum = written.reduce((total, part) => total + part.rows, 0)
  if (sum === rows) return
  throw new CatalogError('engine-failed', `Of ${rows} rows ${sum} were written by partition.`)
}
