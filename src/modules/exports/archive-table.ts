import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CatalogError } from '../../core/errors.ts'
import { TEXT_UPLOAD_BYTES_MAX } from '../../core/limits.ts'
import { parseColumnType } from '../../core/schema/column-type.ts'
import { isPromotion } from '../../core/schema/promotion.ts'
import type { SchemaChange } from '../../core/schema/schema-evolution.ts'
import { findFieldByName } from '../../core/schema/schema-lookup.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import { parseTableIdentifier } from '../../core/table/table-name.ts'
import { type Field, type Type, typeName } from '../../core/value/type.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import { requireWritable } from '../../lake/table/writable-table.ts'
import type { SourceColumn } from '../../sources/row-source.ts'
import { type UploadDependencies, uploadFile } from '../files/upload.ts'
import { evolveTable } from '../tables/evolve-table.ts'
import type { RewriteDependencies } from '../tables/rewrite-schema.ts'
import { createTable, type NewTableDependencies } from '../tables/tables.ts'
import type { ArchivedObject, ExportFiles } from './export-files.ts'
import type { ExportNote } from './export-note.ts'
import { rowInvalid, taskInvalid } from './export-task.ts'

/** Everything that appending to a table uses. */
export type ArchiveTableDependencies = UploadDependencies &
  RewriteDependencies &
  NewTableDependencies & { readonly converter: Converter }

/** The rows of one file of a task as an append of a table. */
export type TableAppend = NonNullable<ExportNote['append']>

const FITTINGS_MAX = 5

/**
 * The rows that are in a staged CSV, as a staged Parquet file of the table that they go to, which
 * is made or gets new columns first. Throws `export-row-invalid` for a row that it cannot hold.
 */
export async function stageAppend(
  deps: ArchiveTableDependencies,
  task: string,
  {
    table,
    columns,
    staged,
    ...rows
  }: StagedRows & {
    readonly staged: string
    readonly table: string
    readonly columns: readonly SourceColumn[]
  },
): Promise<TableAppend> {
  const state = await fitTable(deps, task, { table, columns })
  const parquet = `${staged}.parquet`
  try {
    await convert(deps, state, { ...rows, parquet })
  } catch (error) {
    if (!(error instanceof CatalogError) || error.code !== 'row-invalid') throw error
    throw rowInvalid(task, `the table ${table} cannot hold a row of it: ${error.message}`)
  }
  const commit_id = deps.ambient.newUuid()
  return { table, commit_id, columns: [...columns], parquet, ...identityOf(state) }
}

/**
 * Appends the rows of a committed run to its table, once, whenever it is called. The table is made
 * again if it was dropped, and the rows are converted again if it has changed.
 */
export async function appendRows(
  deps: ArchiveTableDependencies,
  files: ExportFiles,
  {
    note,
    append,
    csv,
    signal,
  }: {
    readonly note: ExportNote
    readonly append: TableAppend
    /** The published file. */
    readonly csv: ArchivedObject
    readonly signal: AbortSignal
  },
): Promise<void> {
  if (await isAppended(deps, files, { note, append })) return
  const { table, columns } = append
  const state = await fitTable(deps, note.task, { table, columns })
  const { table_uuid, schema_id } = identityOf(state)
  const isSame = table_uuid === append.table_uuid && schema_id === append.schema_id
  const again = `${note.staged}.${deps.ambient.newUuid()}.parquet`
  let parquet = await deps.objects.find(append.parquet)
  if (!isSame || parquet === undefined) {
    await convert(deps, state, { ...rowsOf(note, csv), parquet: again, signal })
    parquet = await deps.objects.find(again)
  }
  if (parquet === undefined) throw new Error(`${again} is gone as soon as it was written`)
  await uploadFile(deps, {
    table: table_uuid,
    chunks: deps.objects.readStream(parquet.location, 0, parquet.sizeBytes),
    commitId: append.commit_id,
    author: `export ${note.task}`,
    message: `run ${note.run_id}`,
    signal,
    onPlaced: (paths) => files.notePlaced(note, { tableUuid: table_uuid, paths }),
  })
}

/**
 * The catalog remembers a commit for a week, and for ever which files a table had: those of each
 * attempt are noted before its commit.
 */
async function isAppended(
  { catalog }: ArchiveTableDependencies,
  files: ExportFiles,
  { note, append }: { readonly note: ExportNote; readonly append: TableAppend },
): Promise<boolean> {
  const transaction = await catalog.transactions.find(append.commit_id)
  if (transaction?.state === 'committed') return true
  for (const { tableUuid, paths } of await files.listPlaced(note)) {
    if ((await catalog.paths.findRecorded(tableUuid, paths)).size > 0) return true
  }
  return false
}

interface StagedRows {
  readonly csv: ArchivedObject
  readonly sizeBytes: number
  readonly compression: 'gzip' | 'none'
  readonly rows: number
  readonly signal: AbortSignal
}

function rowsOf(note: ExportNote, csv: ArchivedObject): Omit<StagedRows, 'signal'> {
  const compression = note.file.endsWith('.gz') ? 'gzip' : 'none'
  return { csv, compression, sizeBytes: note.bytes, rows: note.rows }
}

async function convert(
  { converter, objects }: ArchiveTableDependencies,
  { definition }: TableState,
  { csv, sizeBytes, compression, rows, parquet, signal }: StagedRows & { readonly parquet: string },
): Promise<void> {
  const bytes = csv.objects.readStream(csv.location, 0, sizeBytes)
  const text = {
    format: 'csv',
    dialect: 'postgres',
    chunks: compression === 'gzip' ? unzipped(bytes) : bytes,
    bytesMax: TEXT_UPLOAD_BYTES_MAX,
    schema: currentSchema(definition),
    signal,
  } as const
  await converter.ingest(text, async (result, path) => {
    if (result.outcome === 'row-invalid') {
      const { line, detail } = result
      throw new CatalogError('row-invalid', `line ${line}: ${detail}`, { facts: { line } })
    }
    if (result.rows !== rows) {
      throw new Error(`of ${rows} rows of an export ${result.rows} were converted`)
    }
    await objects.putFileIfAbsent(parquet, path)
  })
}

async function* unzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks)
  const gunzip = createGunzip()
  // A failure to read is one of the text, too.
  source.on('error', (error) => gunzip.destroy(error))
  yield* source.pipe(gunzip) as AsyncIterable<Uint8Array>
}

function identityOf({ definition }: TableState) {
  return { table_uuid: definition.tableUuid, schema_id: definition.currentSchemaId }
}

/** Throws `export-task-unusable` when rows of these columns could not be appended. */
export async function requireFitting(
  { catalog }: Pick<ArchiveTableDependencies, 'catalog'>,
  task: string,
  { table, columns }: { readonly table: string; readonly columns: readonly SourceColumn[] },
): Promise<void> {
  const state = await catalog.tables.find(parseTableIdentifier(table))
  if (state !== undefined) changesFor(state, task, { table, columns })
}

/** The table, with all of the columns. */
async function fitTable(
  deps: ArchiveTableDependencies,
  task: string,
  { table, columns }: { readonly table: string; readonly columns: readonly SourceColumn[] },
): Promise<TableState> {
  for (let attempt = 1; ; attempt++) {
    const state = await deps.catalog.tables.find(parseTableIdentifier(table))
    try {
      if (state === undefined) {
        const description = `Rows that the export ${task} has archived`
        return await createTable(deps, { name: table, columns, description })
      }
      const changes = changesFor(state, task, { table, columns })
      if (changes.length === 0) return state
      return await evolveTable(deps, state.definition.tableUuid, { changes })
    } catch (error) {
      // Others made it, or changed it, in between.
      const isRace = error instanceof CatalogError && RACES.has(error.code)
      if (!isRace || attempt === FITTINGS_MAX) throw error
    }
  }
}

const RACES: ReadonlySet<string> = new Set([
  'table-already-exists',
  'table-not-found',
  'schema-change-invalid',
])

function changesFor(
  state: TableState,
  task: string,
  { table, columns }: { readonly table: string; readonly columns: readonly SourceColumn[] },
): readonly SchemaChange[] {
  requireWritable(state)
  const schema = currentSchema(state.definition)
  const filled = new Set<number>()
  const changes = columns.flatMap((column): readonly SchemaChange[] => {
    const { name, type } = column
    const field = findFieldByName(schema, name)
    if (field === undefined) return [{ op: 'add', column }]
    filled.add(field.id)
    const wanted = parseColumnType(type, name)
    if (holds(field.type, wanted)) return []
    if (widens(field, wanted)) return [{ op: 'widen', id: field.id, type }]
    const is = typeName(field.type)
    throw taskInvalid(task, `its column ${name} has the type ${type}, and in ${table} ${is}`)
  })
  const missing = schema.fields.find(
    ({ id, required, writeDefault }) => required && writeDefault === undefined && !filled.has(id),
  )
  if (missing === undefined) return changes
  throw taskInvalid(task, `it has no column ${missing.name}, which ${table} requires`)
}

/** Whether a column of the one type takes every value of the other. */
function holds(type: Type, value: Type): boolean {
  if (type.kind === 'string') return true
  if (type.kind === 'decimal' && value.kind === 'decimal') {
    return type.scale === value.scale && type.precision >= value.precision
  }
  return type.kind === value.kind || HELD.has(`${value.kind} in ${type.kind}`)
}

const HELD: ReadonlySet<string> = new Set(['int in long', 'float in double'])

/** Whether the column can be given the other type without a change of its files. */
function widens(field: Field, type: Type): boolean {
  if (field.type.kind === 'binary' || type.kind === 'string') return false
  return isPromotion(field, { ...field, type }, 2)
}
