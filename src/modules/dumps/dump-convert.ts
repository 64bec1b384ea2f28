import { CatalogError, type CatalogErrorCode } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import type { ExportRequest, JobResult } from '../../engine/engine.ts'
import type { DumpDependencies } from '../../lake/convert/conversion-dependencies.ts'
import { describeSource } from '../../lake/convert/source-file.ts'
import type { DumpBuild } from './dump-build.ts'
import { type DumpSource, emptyShardLocation } from './dump-sources.ts'
import type { DumpPiece } from './format/dump-index.ts'

/** The shard of a source's live rows: one that is there, or a new one. */
export async function obtainShard(
  deps: DumpDependencies,
  build: DumpBuild,
  source: DumpSource,
): Promise<DumpPiece> {
  const made = build.made.find(source)
  if (made !== undefined) return made
  const location = source.shardLocation
  try {
    return await deps.localFiles.use(async ({ pathOf }) => {
      const access = { objects: deps.objects, pathOf }
      const { state, schema } = build.target
      const { definition } = state
      const sourceFile = await describeSource(access, { definition, schema }, source)
      const exported = { location, source: sourceFile, check: checkRows(source) }
      return exportShard(deps, build, exported)
    })
  } catch (error) {
    throw namingDataFile(error, source.dataFile)
  }
}

/** The columns without a row, in formats that can say so: the dump of a table without files. */
export async function obtainEmptyShard(
  deps: DumpDependencies,
  build: DumpBuild,
): Promise<DumpPiece> {
  const location = emptyShardLocation(deps.warehouse, build.target)
  return exportShard(deps, build, { location, source: undefined, check: () => undefined })
}

async function exportShard(
  deps: DumpDependencies,
  { target, signal }: DumpBuild,
  {
    location,
    source,
    check,
  }: Pick<ExportRequest, 'source'> & {
    readonly location: string
    readonly check: (result: JobResult) => void
  },
): Promise<DumpPiece> {
  const { format, compression, schema } = target
  const path = `${deps.temporaryFolder}/${deps.ambient.newUuid()}`
  const job = { source, schema, target: { path, format, compression } }
  try {
    const result = await deps.engine.export(job, { signal })
    check(result)
    await putShard(deps, location, { path, bytes: result.bytes })
    return { location, offset: 0, lengthBytes: result.bytes, rowCount: result.rows }
  } finally {
    await deps.removeLocalFile(path)
  }
}

/** A shard of another length is one that the disk has damaged: it must not stand in the way. */
async function putShard(
  { objects }: DumpDependencies,
  location: string,
  { path, bytes }: { readonly path: string; readonly bytes: number },
): Promise<void> {
  const there = await objects.find(location)
  if (there !== undefined && there.sizeBytes !== bytes) await objects.delete(location)
  await objects.putFileIfAbsent(location, path)
}

function checkRows(source: DumpSource): (result: JobResult) => void {
  return ({ rows }) => requireRows(source, rows)
}

/** As many as the table counts. Deletes may be of rows that are deleted already: with them nobody knows. */
export function requireRows(
  { dataFile, deleteFiles }: Pick<DumpSource, 'dataFile' | 'deleteFiles'>,
  rows: number,
): void {
  const { recordCount } = dataFile
  if (deleteFiles.length > 0 || rows === recordCount) return
  throw new CatalogError(
    'file-corrupt',
    `it has ${rows} rows where the table counts ${recordCount}`,
    { facts: { rows, recordCount } },
  )
}

/** Of these the data file is the reason, or may be. */
const BLAMED = new Set<CatalogErrorCode>([
  'data-file-missing',
  'engine-failed',
  'file-corrupt',
  'file-not-found',
  'file-not-parquet',
  'location-not-allowed',
  'metadata-corrupt',
  'not-implemented',
])

/** Whoever asked for the dump shall know which file of the table is in trouble. */
export function namingDataFile(error: unknown, { path }: Pick<DataFile, 'path'>): unknown {
  if (!(error instanceof CatalogError) || !BLAMED.has(error.code)) return error
  const code = error.code === 'file-not-found' ? 'data-file-missing' : error.code
  const detail = error.message.includes(path) ? error.message : `${path}: ${error.message}`
  return new CatalogError(code, detail, { facts: { ...error.facts, path }, cause: error })
}
