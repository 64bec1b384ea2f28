import type { AnswerKeeper } from '../../core/replay.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { Preferences } from '../../http/prefer.ts'
import type { Reply } from '../../http/reply.ts'
import type { Call } from '../../http/route.ts'
import type { AskingCall } from './limits/query-limits.ts'
import type { StructuredQuery } from './query-shapes.ts'
import type { PreparedSql } from './run-query.ts'

/** A query whose result is too large for a response, or for which its client does not wait. */
export type LaterQuery = {
  readonly preferences: Preferences
  readonly keeper: AnswerKeeper
  readonly call: AskingCall & Pick<Call<unknown, unknown>, 'authorize' | 'authorizeFound'>
  /** What its estimate says that it reads. */
  readonly costBytes: number
} & (
  | {
      readonly table: string
      readonly selector: SnapshotSelector
      readonly query: Omit<StructuredQuery, 'source'>
    }
  | { readonly sql: PreparedSql }
)

/** Has the result made, and says where it will be. The caller may read the tables. */
export type AnswerLater = (asked: LaterQuery) => Promise<Reply>
