import { CatalogError, type CatalogErrorCode } from '../../core/errors.ts'
import type { DataFile } from '../../core/file/data-file.ts'
import { locationKey } from '../../core/file/location-key.ts'
import type { Restriction, RowSelection } from '../../core/table/restriction.ts'
import type { PlannedFile } from '../scan/plan-files.ts'

/**
 * As many as the table counts. Deletes may be of rows that are deleted already: with them nobody
 * knows.
 */
export function requireRows(
  { dataFile, deleteFiles }: Pick<PlannedFile, 'dataFile' | 'deleteFiles'>,
  rows: number,
): void {
  if (deleteFiles.length === 0) requireCounted(dataFile, rows)
}

/**
 * A file that was replaced in place may have other rows than the table has: all who read it refuse
 * it where the number tells.
 */
export function requireCounted({ recordCount }: Pick<DataFile, 'recordCount'>, rows: number): void {
  if (rows === recordCount) return
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

const DELETE_FILE_CODES: Partial<Record<CatalogErrorCode, CatalogErrorCode>> = {
  // An engine wrote it, whatever it is in: no operator can mend it.
  'metadata-corrupt': 'file-corrupt',
  'file-not-parquet': 'file-corrupt',
  'file-not-found': 'data-file-missing',
}

/** The failure with the path of the delete file that is the reason for it. */
export function namingDeleteFile(error: unknown, { path }: Pick<DataFile, 'path'>): unknown {
  if (!(error instanceof CatalogError) || !BLAMED.has(error.code)) return error
  const code = DELETE_FILE_CODES[error.code] ?? error.code
  const detail = error.message.includes(path) ? error.message : `${path}: ${error.message}`
  return new CatalogError(code, detail, { facts: { file: path, path }, cause: error })
}

/** The failure with the path of the data file, or of a delete file that the engine did not find. */
export function namingSource(
  error: unknown,
  { dataFile, deleteFiles }: Pick<PlannedFile, 'dataFile' | 'deleteFiles'>,
): unknown {
  const file = error instanceof CatalogError ? error.facts['file'] : undefined
  const key = typeof file === 'string' ? locationKey(file) : undefined
  const found = deleteFiles.find(({ path }) => locationKey(path) === key)
  const told = found === undefined ? error : namingDeleteFile(error, found)
  return namingDataFile(told, dataFile)
}

/** The failure with the path of the data file that is, or may be, the reason for it. */
export function namingDataFile(error: unknown, { path }: Pick<DataFile, 'path'>): unknown {
  if (!(error instanceof CatalogError) || !BLAMED.has(error.code)) return error
  const code = error.code === 'file-not-found' ? 'data-file-missing' : error.code
  const detail = error.message.includes(path) ? error.message : `${path}: ${error.message}`
  // A delete file may be what is missing.
  const missing = error.code === 'data-file-missing' ? error.facts['path'] : undefined
  const facts = { ...error.facts, path: missing ?? path }
  return new CatalogError(code, detail, { facts, cause: error })
}

/** Failures that name a data file by themselves. */
const ALSO_OF_FILES = new Set<CatalogErrorCode>(['data-file-changed', 'location-invalid'])

/**
 * The failure as it is told to a caller from whom rows are withheld: folders have the values of
 * partitions, and counts are of all rows.
 */
export function withholding(error: unknown, restriction: Restriction | RowSelection): unknown {
  if (restriction === 'unrestricted' || restriction.isInverted !== undefined) return error
  if (!(error instanceof CatalogError)) return error
  if (!BLAMED.has(error.code) && !ALSO_OF_FILES.has(error.code)) return error
  const { timeoutMs, isOutOfMemory } = error.facts
  const facts = {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(isOutOfMemory !== undefined && { isOutOfMemory }),
  }
  const detail =
    error.code === 'engine-failed'
      ? 'the engine could not finish: who may see all of the table is told why'
      : 'a data file of the table, or what is in it, is not as it should be: who may see all of ' +
        'the table is told which'
  return new CatalogError(error.code, detail, { facts, cause: error })
}
