import { type Json, outcomeOf, type Told } from './caller.ts'
import type { Operation, Reading, TableChange, TableResult } from './history.ts'

/** An operation before its outcome is known. */
export interface Begun {
  readonly id: string
  readonly changes: readonly TableChange[]
}

/** What clients did, and the replies they got. */
export class Recorder {
  readonly operations: Operation[] = []
  readonly readings: Reading[] = []
  readonly contradictions: string[] = []
  /** How often each kind was begun. */
  readonly kinds: Record<string, number> = {}
  /** Codes of refusals, and how often. */
  readonly refusals: Record<string, number> = {}
  /** Replies that are neither a success nor a definite refusal. */
  readonly failures: string[] = []
  #count = 0

  begin(kind: string, changes: readonly TableChange[]): Begun {
    this.kinds[kind] = (this.kinds[kind] ?? 0) + 1
    return { id: `${kind} ${++this.#count}`, changes }
  }

  /** The reply to the whole operation, or to the last attempt at it. */
  settle({ id, changes }: Begun, told: Told, calledAt = told.calledAt): Operation {
    const outcome = outcomeOf(told)
    this.note(told)
    const results = outcome === 'committed' ? resultsOf(told.body) : undefined
    const answeredAt = outcome === 'unknown' ? Number.POSITIVE_INFINITY : told.answeredAt
    const operation = {
      id,
      changes,
      outcome,
      calledAt,
      answeredAt,
      ...(results !== undefined && { results }),
    }
    this.operations.push(operation)
    return operation
  }

  /** Given up before it was committed: it must never be seen. */
  giveUp({ id, changes }: Begun): void {
    const [calledAt, answeredAt] = [0, Number.POSITIVE_INFINITY]
    this.operations.push({ id, changes, outcome: 'refused', calledAt, answeredAt })
  }

  note(told: Told): void {
    const code = codeOf(told)
    if (outcomeOf(told) === 'refused') this.refusals[code] = (this.refusals[code] ?? 0) + 1
    else if (told.status >= 300) this.failures.push(`${told.status} ${code}`)
  }

  /** Returns what was read, or `undefined` when nothing was. */
  read(table: string, told: Told, asAtMs?: number): Reading | undefined {
    const { calledAt, answeredAt, body, status } = told
    const isBeforeFirst = codeOf(told) === 'as-at-before-first-snapshot'
    if (status !== 200 && !isBeforeFirst) {
      this.note(told)
      return undefined
    }
    const reading = {
      table,
      calledAt,
      answeredAt,
      ...(asAtMs !== undefined && { asAtMs }),
      snapshotId: body.snapshot?.snapshot_id ?? null,
      files: body.data_files?.map((file: Json) => file.path) ?? [],
    }
    this.readings.push(reading)
    return reading
  }
}

function codeOf({ body }: Told): string {
  return body?.type?.replace('/problems/', '') ?? body?.error?.type ?? 'unnamed'
}

/** A REST commit returns the table instead. */
function resultsOf(body: Json): TableResult[] | undefined {
  return body?.results?.map((result: Json) => ({
    table: result.table.replace(/^default\./, ''),
    snapshotId: result.snapshot_id,
    parentSnapshotId: result.parent_snapshot_id,
    sequenceNumber: result.sequence_number,
    timestampMs: Date.parse(result.timestamp),
    operation: result.operation,
    addedFiles: result.added_data_files,
    addedRecords: result.added_records,
    removedFiles: result.removed_data_files,
    removedRecords: result.removed_records,
  }))
}
