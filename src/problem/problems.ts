import { type CatalogErrorCode, CodedError } from '../core/errors.ts'
import { ACCESS_PROBLEMS } from './access-problems.ts'
import { DATASET_PROBLEMS } from './dataset-problems.ts'
import { DUMP_PROBLEMS } from './dump-problems.ts'
import { EVENT_PROBLEMS } from './event-problems.ts'
import { EXPORT_PROBLEMS } from './export-problems.ts'
import { FILE_PROBLEMS } from './file-problems.ts'
import { ICEBERG_REST_PROBLEMS } from './iceberg-rest-problems.ts'
import type { ProblemRow } from './problem-row.ts'
import { QUERY_PROBLEMS } from './query-problems.ts'
import { REQUEST_PROBLEMS } from './request-problems.ts'
import { SERVICE_PROBLEMS } from './service-problems.ts'
import { TABLE_PROBLEMS } from './table-problems.ts'
import { TRANSACTION_PROBLEMS } from './transaction-problems.ts'
import { VIEW_PROBLEMS } from './view-problems.ts'

// If a code of core/errors.ts has no row, this does not compile.
const ROWS = {
  ...TABLE_PROBLEMS,
  ...FILE_PROBLEMS,
  ...TRANSACTION_PROBLEMS,
  ...VIEW_PROBLEMS,
  ...ICEBERG_REST_PROBLEMS,
  ...DUMP_PROBLEMS,
  ...DATASET_PROBLEMS,
  ...EVENT_PROBLEMS,
  ...EXPORT_PROBLEMS,
  ...QUERY_PROBLEMS,
  ...REQUEST_PROBLEMS,
  ...SERVICE_PROBLEMS,
  ...ACCESS_PROBLEMS,
} satisfies Record<CatalogErrorCode, ProblemRow>

/** Codes that clients may switch on. Never renamed once released. */
export type ProblemCode = keyof typeof ROWS

export const PROBLEMS: Readonly<Record<ProblemCode, ProblemRow>> = ROWS

/** All codes, sorted by name. */
export const PROBLEM_CODES = Object.keys(ROWS).sort() as readonly ProblemCode[]

/** A refusal by a module or by HTTP itself, with a code that core and lake need not know. */
export class ProblemError extends CodedError<Exclude<ProblemCode, CatalogErrorCode>> {}

/** The error itself if it has a problem code; `undefined` if it is unexpected. */
export function asProblem(error: unknown): CodedError<ProblemCode> | undefined {
  return error instanceof CodedError ? error : undefined
}
