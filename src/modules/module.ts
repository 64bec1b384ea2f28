import type { Dialect } from '../http/dialect.ts'
import type { Meter } from '../http/metrics.ts'
import type { Route } from '../http/route.ts'
import type { FileNamer } from '../lake/deletion/file-namer.ts'
import type { Consumer } from '../lake/events/consumer.ts'
import type { JobKind } from '../lake/jobs/job-kind.ts'
import type { Task } from '../lake/jobs/task.ts'

/**
 * One capability. Only `modules.ts` names them. Making one must open and call nothing, since the
 * API documents are generated from modules without a platform.
 */
export interface Module {
  readonly name: string
  /** Served, documented, counted, and checked for permission. */
  readonly routes?: readonly Route[]
  /** Another protocol, below a root of its own. */
  readonly dialect?: Dialect
  /** Recurring work, done by one replica at a time. */
  readonly tasks?: readonly Task[]
  /** Kinds of jobs; each job is done once, by any replica. */
  readonly jobs?: readonly JobKind[]
  /** Reactions to events, outside the commit that raised them. */
  readonly consumes?: readonly Consumer[]
  /** What it makes of tables and names files of theirs. */
  readonly fileNamers?: readonly FileNamer[]
  /** Its metrics, shown at `/metrics`. */
  readonly meters?: readonly Meter[]
  /** Brings up to date what an older version left. Awaited before anything is served. */
  prepare?(): Promise<void>
  /** Stops its work. Called once, while the stores are still open. */
  close?(): Promise<void>
}
