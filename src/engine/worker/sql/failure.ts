import { CatalogError } from '../../../core/errors.ts'
import { quoteText } from './sql-text.ts'

const DETAIL_LENGTH_MAX = 500
/**
 * Start of the message of an `error()` in our queries, when a value cannot be converted exactly.
 */
const REFUSAL = 'not converted: '
/** DuckDB's reader has no value for them. */
const TOO_MANY_MILLISECONDS = /^Conversion Error: Could not convert Timestamp\(MS\)/
const NOT_UTF8 = /^Invalid Input Error: Invalid string encoding found in Parquet file/
const KEY_TWICE = /^Invalid Input Error: Map keys must be unique/
/** Errors that are our own fault, whatever the file contains: of our SQL, its depth above all. */
const OWN_FAULT = new RegExp(
  [
    '^(?:Binder|Parser|Syntax|Catalog|Permission|INTERNAL|FATAL|Fatal|Dependency|Parameter)\\b',
    '[Ee]xpression depth|[Rr]ecursion depth|[Ss]tack (?:size|overflow)',
  ].join('|'),
)
/** Messages of DuckDB, C++, V8, zstd and the system. */
const NO_MEMORY = new RegExp(
  [
    ...['^Out of Memory Error', 'bad_alloc', 'std::length_error'],
    // What DuckDB makes of a text for which there was no memory.
    ...['basic_string: construction from null'],
    ...['Array buffer allocation failed', 'Allocation error :'],
    ...['Cannot allocate memory', 'ENOMEM', 'failed to allocate', 'Failed to allocate'],
  ].join('|'),
)
const NO_SPACE =
  /No space left on device|ENOSPC|EDQUOT|Disk quota exceeded|max_temp_directory_size/i

/** SQL that ends the conversion with a plain refusal. */
export function refusalSql(detail: string): string {
  return `error(${quoteText(`${REFUSAL}${detail}`)})`
}

/** A child that did other tasks before may have had too little left for this one. */
export class OutOfMemoryError extends CatalogError {}

/**
 * Translates an error of DuckDB or the disk for the caller; `path` is the file that was being read.
 * An unknown error that is not the engine's own fault gets the code `otherwise`.
 */
export function taskFailure(
  error: unknown,
  path: string,
  otherwise: 'file-corrupt' | 'engine-failed',
): CatalogError {
  if (error instanceof CatalogError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (NO_SPACE.test(message)) {
    return new CatalogError('storage-full', 'The disk is full.', { cause: error })
  }
  if (NO_MEMORY.test(message)) {
    const detail = `Not enough memory to convert ${path}.`
    const facts = { file: path, isOutOfMemory: true }
    return new OutOfMemoryError('engine-failed', detail, { facts, cause: error })
  }
  const missingPath = findMissingPath(error)
  if (missingPath !== undefined) {
    const facts = { file: missingPath }
    return new CatalogError('file-not-found', `There is no file ${missingPath}.`, { facts })
  }
  if (message.startsWith(`Invalid Input Error: ${REFUSAL}`)) {
    const [, refusal = ''] = message.split(REFUSAL)
    const detail = `${path} cannot be converted exactly: ${refusal.slice(0, DETAIL_LENGTH_MAX)}.`
    return new CatalogError('file-unsupported', detail, { facts: { file: path }, cause: error })
  }
  if (TOO_MANY_MILLISECONDS.test(message)) {
    const detail = `${path} has milliseconds that are too many for microseconds of 64 bits.`
    return new CatalogError('file-unsupported', detail, { facts: { file: path }, cause: error })
  }
  if (NOT_UTF8.test(message)) return notUtf8(path, error)
  const [firstLine = ''] = message.split('\n')
  const reason = firstLine.slice(0, DETAIL_LENGTH_MAX)
  const isOwn = isOfSystem(error) || isOfCode(error) || OWN_FAULT.test(message)
  if (otherwise === 'engine-failed' || isOwn) {
    return new CatalogError('engine-failed', `The engine failed on ${path}: ${reason}`, {
      facts: { file: path },
      cause: error,
    })
  }
  if (message.startsWith('Not implemented')) {
    const detail = `${path} contains something that cannot be converted: ${reason}`
    return new CatalogError('file-unsupported', detail, { facts: { file: path }, cause: error })
  }
  return new CatalogError('file-corrupt', `${path} cannot be read: ${reason}`, {
    facts: { file: path },
    cause: error,
  })
}

/** Whether the limit of memory is the reason, of DuckDB or of the process. */
export function isOutOfMemory(error: unknown): boolean {
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' && NO_MEMORY.test(message)
}

/** Whether text that is none is the reason. DuckDB does not say of which column. */
export function isNotUtf8(error: unknown): boolean {
  return error instanceof Error && NOT_UTF8.test(error.message)
}

export function notUtf8(path: string, cause: unknown, column?: string): CatalogError {
  const told = column === undefined ? '' : `column ${column} of `
  const detail = `${told}${path} has text that is not UTF-8: write the file again with valid text.`
  const facts = { file: path, ...(column !== undefined && { column }) }
  return new CatalogError('file-unsupported', detail, { facts, cause })
}

/** DuckDB makes no map with a key twice, although it reads them: `work` is done again for such. */
export async function withAnyMaps<T>(work: (hasRepeatedKeys: boolean) => Promise<T>): Promise<T> {
  try {
    return await work(false)
  } catch (error) {
    if (!(error instanceof Error && KEY_TWICE.test(error.message))) throw error
    return await work(true)
  }
}

/** What the text of a query is the reason for: names, types, and values that have no result. */
const QUERY_FAULT =
  /^(?:Binder|Catalog|Conversion|Invalid Input|Out of Range|Parser|Syntax|Not implemented) Error/

/** Whether a user's query is the reason, and no file. */
export function isFaultOfQuery(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof CatalogError) return false
  const { message } = error
  return QUERY_FAULT.test(message) && !/\.parquet|Parquet/.test(message) && !NOT_UTF8.test(message)
}

export async function blaming<T>(path: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw taskFailure(error, path, 'file-corrupt')
  }
}

function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/** DuckDB's failures are plain errors: those are of JavaScript, or of WebAssembly. */
const OF_CODE = new Set([
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'RuntimeError',
])

function isOfCode(error: unknown): boolean {
  return error instanceof Error && OF_CODE.has(error.name)
}

function findMissingPath(error: unknown): string | undefined {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return isMissing && 'path' in error ? String(error.path) : undefined
}
