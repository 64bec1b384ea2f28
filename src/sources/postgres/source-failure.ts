import pg from 'pg'
import { CatalogError, CodedError } from '../../core/errors.ts'
import { SourceConflictError } from '../row-source.ts'

/** Serialization failures, deadlocks, locks not had in time: another transaction in the way. */
const CONFLICTS = new Set(['40001', '40P01', '55P03'])
/** Connections, too many of them, shutting down, starting up, out of memory or of disk. */
const PASSING = /^(?:08|53|57P)/

/** What clients are told of a failure of the source: no address, no password. */
export function sourceError(error: unknown): Error {
  if (error instanceof CodedError || error instanceof SourceConflictError) return error
  if (error instanceof pg.DatabaseError) {
    const { code = '', message } = error
    if (CONFLICTS.has(code)) return new SourceConflictError(message)
    if (PASSING.test(code)) return away(message)
    return new CatalogError('source-refused', `the source refuses: ${message} (${code})`, {
      facts: { sqlState: code },
    })
  }
  return away(error instanceof Error ? error.message : 'no connection')
}

function away(why: string): CatalogError {
  const detail = `the source cannot be reached: ${why}`
  return new CatalogError('overloaded', detail, { facts: { retryAfterSeconds: 5 } })
}

/** The answer of the source; a failure as clients are told of it. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw sourceError(error)
  }
}
