import type { Dialect } from '../http/dialect.ts'
import type { Meter } from '../http/metrics.ts'
import type { Route } from '../http/route.ts'
import type { Consumer } from '../lake/events/consumer.ts'
import type { JobKind } from '../lake/jobs/job-kind.ts'
import type { Task } from '../lake/jobs/task.ts'

/**
 * One capability. `modules.ts` lists them; nothing else names them. To make one opens nothing and
 * calls nothing: the documents are made from modules behind which there is no platform.
 */
export interface Module {
  readonly name: string
  /** Served, documented, counted, and checked for permission. */
  readonly routes?: readonly Route[]
  /** Another protocol below a root of its own. */
  readonly dialect?: Dialect
  /** Done at times, by one replica at a time. */
  readonly tasks?: readonly Task[]
  /** Done once each, by whichever replica lives. */
  readonly jobs?: readonly JobKind[]
  /** Done about events of others, away from the commit that raised them. */
  readonly consumes?: readonly Consumer[]
  /** What it counts, shown at `/metrics`. */
  readonly meters?: readonly Meter[]
  /** Ends what it has begun. Called once, while the stores are still open. */
  close?(): Promise<void>
}
