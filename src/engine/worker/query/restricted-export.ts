import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { ExportJob, ExportRequest, JobResult, SourceRestriction } from '../../engine.ts'
import { runExport, type TaskPlace } from '../export/export-job.ts'
import { copyOptions } from '../sql/copy-options.ts'
import { sqlNames } from '../sql/duckdb-names.ts'
import { blaming, withAnyMaps } from '../sql/failure.ts'
import { finishParquet } from '../sql/finish-parquet.ts'
import { withSession } from '../sql/session.ts'
import { quoteConstant, quoteName } from '../sql/sql-text.ts'
import { linkTables } from './link-tables.ts'
import { type LinkedTable, tableRows } from './table-rows.ts'

const SHOWN_NAME = 'shown.parquet'

type RestrictedJob = ExportJob & { readonly restriction: SourceRestriction }

export function runAnyExport(job: ExportRequest, place: TaskPlace): Promise<JobResult> {
  const { source, restriction } = job
  if (source === undefined || restriction === undefined) return runExport(job, place)
  return runRestrictedExport({ ...job, source, restriction }, place)
}

/**
 * First makes a file of what may be shown, and then exports that: no format gets to see the rows
 * and values of the source.
 */
async function runRestrictedExport(
  { restriction, ...job }: RestrictedJob,
  place: TaskPlace,
): Promise<JobResult> {
  const { source, schema } = job
  const linkedPaths: string[] = []
  const tables = [{ schema, restriction, sources: [source] }]
  await blaming(source.path, async () => {
    const [table] = await linkTables(tables, place, linkedPaths)
    if (table === undefined) throw new Error('an export has a source')
    await withSession({ ...place, linkedPaths, trust: 'values' }, (connection) =>
      withAnyMaps((hasRepeatedKeys) => copy(connection, table, hasRepeatedKeys)),
    )
  })
  for (const i of linkedPaths.keys()) unlinkSync(`source-${i + 1}.parquet`)
  finishParquet(SHOWN_NAME, schema)
  const names = sqlNames(schema.fields)
  const columns = schema.fields.map(({ id }, i) => ({ fieldId: id, nameInFile: names[i] }))
  const path = join(place.folder, SHOWN_NAME)
  const result = await runExport({ ...job, source: { path, columns } }, place)
  unlinkSync(SHOWN_NAME)
  return result
}

async function copy(
  connection: DuckDBConnection,
  table: LinkedTable,
  hasRepeatedKeys: boolean,
): Promise<void> {
  const { schema } = table
  const rows = await tableRows(connection, table, { number: 0, hasRepeatedKeys })
  const columns = sqlNames(schema.fields).map((name, i) => `v${i} AS ${quoteName(name)}`)
  const options = copyOptions({ schema, target: ROWS_BETWEEN }, { hasMinusZero: true })
  const query = `SELECT ${columns.join(', ')} FROM (${rows}) AS s`
  await connection.run(`COPY (${query}) TO ${quoteConstant(SHOWN_NAME)} (${options})`)
}

/** As what is read again at once. */
const ROWS_BETWEEN = { path: SHOWN_NAME, format: 'arrow', compression: 'none' } as const
