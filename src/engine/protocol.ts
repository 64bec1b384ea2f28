import type { CatalogErrorCode, ErrorFacts } from '../core/errors.ts'
import type {
  ExportRequest,
  IngestJob,
  IngestResult,
  JobResult,
  ParsedSql,
  QueryJob,
  QueryResult,
  SplitJob,
  SplitResult,
  SqlJob,
  SqlResult,
} from './engine.ts'

/** Messages between the service and its children, sent by structured clone. */
export type Task =
  | { readonly kind: 'export'; readonly job: ExportRequest }
  | { readonly kind: 'ingest'; readonly job: IngestJob }
  | { readonly kind: 'split'; readonly job: SplitJob }
  | { readonly kind: 'query'; readonly job: QueryJob }
  | { readonly kind: 'parse-sql'; readonly job: { readonly sql: string } }
  | { readonly kind: 'query-sql'; readonly job: SqlJob }

export interface TaskRequest {
  readonly task: Task
  /**
   * The task's own folder, which the child makes; its output is `OUTPUT_NAME` in it, or the parts
   * of that.
   */
  readonly folder: string
  readonly memoryBytes: number
}

export type TaskResult =
  | JobResult
  | IngestResult
  | SplitResult
  | QueryResult
  | ParsedSql
  | SqlResult

export type WorkerReply =
  | { readonly outcome: 'ready' }
  | { readonly outcome: 'done'; readonly result: TaskResult; readonly residentBytes: number }
  | {
      readonly outcome: 'failed'
      readonly code: CatalogErrorCode
      readonly detail: string
      readonly facts: ErrorFacts
      readonly isOutOfMemory: boolean
      readonly residentBytes: number
    }

export const OUTPUT_NAME = 'output'

/** Folder of the sessions that a child keeps, in that of its engine: empty between its tasks. */
export function keptFolder(engineFolder: string, pid: number): string {
  return `${engineFolder}/kept-${pid}`
}

/** One of the files that a split writes. */
export function outputPartName(index: number): string {
  return `${OUTPUT_NAME}-${index}`
}
