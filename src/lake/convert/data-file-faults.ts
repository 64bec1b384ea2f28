import { CatalogError, type CatalogErrorCode } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import type { PlannedFile } from '../scan/plan-files.ts'

/**
 * As many as the table counts. Deletes may be of rows that are deleted already: with them nobody
 * knows.
 */
export function requireRows(
  { dataFile, deleteFiles }: Pick<PlannedFile, 'dataFile' | 'deleteFiles'>,
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

/** Failures that a data file is, or may be, the reason for. */
const BLAMED = new Set<CatalogErrorCode>([
  'data-file-missing',
  'engine-failed',
  'file-corrupt',
  'file-not-found',
  'file-not-parquet',
  'file-unsupported',
  'location-not-allowed',
  'metadata-corrupt',
  'not-implemented',
])

/** The failure with the path of the data file that is, or may be, the reason for it. */
export function namingDataFile(error: unknown, { path }: Pick<DataFile, 'path'>): unknown {
  if (!(error instanceof CatalogError) || !BLAMED.has(error.code)) return error
  const code = error.code === 'file-not-found' ? 'data-file-missing' : error.code
  const detail = error.message.includes(path) ? error.message : `${path}: ${error.message}`
  return new CatalogError(code, detail, { facts: { ...error.facts, path }, cause: error })
}
