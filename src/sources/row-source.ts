/**
 * A database outside, whose rows are copied into files and then deleted. All of a run is one
 * transaction of the source: rows are gone there only if its commit was reached, and what became of
 * it can be asked later, by another process, too. Failures to reach it are `overloaded`, its
 * refusals `source-refused`.
 */
export interface RowSource {
  /**
   * Waits until no other run of this task works on the source, in any process, and keeps others
   * away until the session is closed or its connection has ended on the side of the source.
   */
  open(task: string, signal: AbortSignal): Promise<SourceSession>
  /** How many rows there are to archive now. Writes and deletes nothing, and waits for no run. */
  count(task: string, work: SourceWork, signal: AbortSignal): Promise<number>
}

export interface SourceSession {
  /**
   * `rolled-back` only where the very database and table of the run say so; `unknown` if they are
   * gone, or others now. Throws `overloaded` while it is open. `mayBeForgotten`: since the mark was
   * written down, somebody may have let the source forget it.
   */
  outcomeOf(
    mark: RunMark,
    options?: { readonly mayBeForgotten?: boolean },
  ): Promise<'committed' | 'rolled-back' | 'unknown'>
  /** Lets the source forget a mark whose outcome nobody will ask for again. */
  forget(mark: RunMark): Promise<void>
  /** Begins the transaction. Throws `export-task-invalid` when its statements are none. */
  begin(work: SourceWork): Promise<SourceTransaction>
  close(): Promise<void>
}

/** How a run finds out later whether its transaction was committed. */
export interface RunMark {
  /** Unique to one attempt of one run. */
  readonly id: string
  /** The source's own number of the transaction; it remembers it for a limited time. */
  readonly transactionId: string
  /** Whether a row with the id is written in the transaction, which is proof for ever. */
  readonly isWritten: boolean
  /** Names the database, and the table of such rows: elsewhere nothing is known of the run. */
  readonly place: string
  /** When the server of the source was started: no transaction outlives it. */
  readonly startedAt?: string | undefined
  /**
   * When the source began to count what it does: it begins again when one of its processes crashes,
   * and then gives numbers of transactions that it has lost to others.
   */
  readonly countsSince?: string | undefined
  /** UUID of the table, of a run on one of ours. */
  readonly tableUuid?: string | undefined
}

/** Statements are the operator's own and reach the source as they are. */
export type SourceWork =
  /** Rows are copied by the statement that deletes them. */
  | ({ readonly mode: 'atomic'; readonly rowsMax?: number | undefined } & SourceTable)
  /** As `atomic`, so many rows, of those that nobody else has locked. */
  | ({ readonly mode: 'batches'; readonly rowsMax: number } & SourceTable)
  /**
   * The keys of the rows are noted first, in the temporary table `moraine_keys`, which the query
   * joins and has the columns of; then exactly those rows are deleted, by a deletion of their own.
   */
  | ({
      readonly mode: 'keys'
      readonly select: string
      readonly remove?: string | undefined
      /** The primary key when absent. */
      readonly keys?: readonly string[] | undefined
      readonly rowsMax?: number | undefined
    } & SourceTable)
  /**
   * One partition of a table by ranges of time, that has ended so long ago: detached, which is not
   * undone, then copied and dropped.
   */
  | {
      readonly mode: 'partition'
      readonly table: string
      /** As PostgreSQL writes intervals. */
      readonly minAge: string
      readonly columns?: readonly string[]
    }
  /** Copied, then deleted, both of one state of the source; as many as were copied. */
  | { readonly mode: 'snapshot'; readonly select: string; readonly remove: string }
  /** Copied only. */
  | { readonly mode: 'keep'; readonly select: string }
  | ({ readonly mode: 'keep'; readonly select?: undefined } & SourceTable)

export interface SourceTable {
  /** `name` or `schema.name`, as it is, without quotes. */
  readonly table: string
  /** A condition in SQL. */
  readonly where: string
  /** All when absent. */
  readonly columns?: readonly string[]
  /** Only of our own tables, whose conditions know no time: rows whose column is so much older. */
  readonly older?: { readonly column: string; readonly ms: number }
}

/** A column of the rows, and the Iceberg type, by its name, that holds its values. */
export interface SourceColumn {
  readonly name: string
  readonly type: string
}

export interface SourceTransaction {
  readonly mark: RunMark
  /**
   * Asked before the rows are read: from then on values are written in one form, whatever the
   * settings of the source: dates in ISO, times in UTC, bytes in hexadecimal digits.
   */
  describe(): Promise<readonly SourceColumn[]>
  /** CSV as in RFC 4180, with a header, in UTF-8. To be read to its end before `finish`. */
  readonly rows: AsyncIterable<Uint8Array>
  /**
   * Deletes what was copied, and returns how many rows that was by the source's count. Throws
   * `export-count-mismatch` when other rows would be deleted than were copied, and
   * `SourceConflictError` when somebody else changed them in between.
   */
  finish(): Promise<SourceCounts>
  /**
   * When it throws anything but `SourceConflictError`, the outcome is unknown until it was asked
   * for (`outcomeOf`).
   */
  commit(): Promise<void>
  rollback(): Promise<void>
}

export interface SourceCounts {
  readonly copied: number
  readonly deleted: number
  /**
   * Why the deleted rows are those copied: one statement did both; their keys are equal; all of a
   * partition was copied and dropped under one lock; all rows of files were, which the commit
   * removed, or all but those that it wrote anew; their numbers are equal; or none was deleted.
   */
  readonly proof:
    | 'one statement'
    | 'keys'
    | 'whole partition'
    | 'whole files'
    | 'rewritten files'
    | 'count'
    | 'none deleted'
}

/** Somebody changed the rows in between: the same may succeed at once. */
export class SourceConflictError extends Error {}
