import { CodedError } from '../../core/errors.ts'

/** Said of a store or a folder that is out of reach, as a bucket or a disk may be for minutes. */
const AWAY: ReadonlySet<string> = new Set([
  ...['storage-unavailable', 'warehouse-unavailable'],
  'exports-unreadable',
])
const PASSING: ReadonlySet<string> = new Set([...AWAY, 'commit-state-unknown', 'overloaded'])

/** Thrown by a job for what may pass, but has lasted too long: it is the end. */
export class LastingError extends CodedError<string> {}

/**
 * Whether the job would fail again. After a commit whose answer was lost, the next attempt finds
 * what was done.
 */
export function isLasting(error: unknown): error is CodedError<string> {
  if (error instanceof LastingError) return true
  return error instanceof CodedError && !PASSING.has(error.code)
}

/** Whether a store is out of reach: trying again within seconds is of little use. */
export function isAway(error: unknown): error is CodedError<string> {
  return error instanceof CodedError && AWAY.has(error.code)
}

export interface StoreChecks {
  /** Throws `warehouse-unavailable`, or what a store says of itself, unless all are there. */
  requireEveryPlace?(): Promise<void>
}

/**
 * The failure, or that a place of tables is not there, which it may come from: where a disk is not
 * mounted, files look deleted.
 */
export async function causeOf(
  { requireEveryPlace }: StoreChecks,
  error: unknown,
): Promise<unknown> {
  if (!isLasting(error) || error instanceof LastingError) return error
  try {
    await requireEveryPlace?.()
    return error
  } catch (away) {
    return isAway(away) ? away : error
  }
}
