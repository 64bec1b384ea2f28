import type { History, LoggedSnapshot, Operation, TableChange } from './history.ts'

/** One snapshot of a log, with what it changed and who asked for that. */
export interface Entry {
  readonly table: string
  readonly index: number
  readonly snapshot: LoggedSnapshot
  readonly before: ReadonlySet<string>
  readonly files: ReadonlySet<string>
  readonly added: ReadonlySet<string>
  readonly removed: ReadonlySet<string>
  readonly members: readonly Operation[]
}

/** The log of one table, and what real time says of it. */
export interface Timeline {
  readonly entries: readonly Entry[]
  /** By index: the latest call among this entry's operations and all before. */
  readonly lastCallAt: readonly number[]
  /** By index: the earliest reply among this entry's operations and all after. */
  readonly firstAnswerAt: readonly number[]
}

export interface Replay {
  readonly history: History
  readonly timelines: ReadonlyMap<string, Timeline>
  readonly recordsOf: ReadonlyMap<string, number>
}

export function replayOf(history: History): Replay {
  const operations = new Map(history.operations.map((operation) => [operation.id, operation]))
  const timelines = new Map<string, Timeline>()
  for (const { table, snapshots } of history.tables) {
    const entries: Entry[] = []
    let before: ReadonlySet<string> = new Set()
    for (const [index, snapshot] of snapshots.entries()) {
      const files = new Set(snapshot.files)
      entries.push({
        table,
        index,
        snapshot,
        before,
        files,
        added: difference(files, before),
        removed: difference(before, files),
        members: snapshot.operationIds.flatMap((id) => operations.get(id) ?? []),
      })
      before = files
    }
    timelines.set(table, timelineOf(entries))
  }
  const added = history.operations.flatMap(({ changes }) => changes.flatMap((c) => c.added))
  const recordsOf = new Map(added.map(({ path, records }) => [path, records]))
  return { history, timelines, recordsOf }
}

function timelineOf(entries: readonly Entry[]): Timeline {
  const lastCallAt: number[] = []
  let call = Number.NEGATIVE_INFINITY
  for (const { members } of entries) {
    for (const member of members) call = Math.max(call, member.calledAt)
    lastCallAt.push(call)
  }
  const firstAnswerAt: number[] = []
  let answer = Number.POSITIVE_INFINITY
  for (const { members } of entries.toReversed()) {
    for (const member of members) answer = Math.min(answer, member.answeredAt)
    firstAnswerAt.push(answer)
  }
  return { entries, lastCallAt, firstAnswerAt: firstAnswerAt.reverse() }
}

/**
 * Whether the table may have been at this entry at some moment between the two: not before all of
 * it was called for, nor after a later one was answered. Index -1 is the table without a snapshot.
 */
export function mayBeCurrent(
  { lastCallAt, firstAnswerAt }: Timeline,
  index: number,
  during: { readonly calledAt: number; readonly answeredAt: number },
): boolean {
  const begunAt = lastCallAt[index] ?? Number.NEGATIVE_INFINITY
  const replacedAt = firstAnswerAt[index + 1] ?? Number.POSITIVE_INFINITY
  return begunAt < during.answeredAt && replacedAt > during.calledAt
}

export function changeOf(operation: Operation, table: string): TableChange | undefined {
  return operation.changes.find((change) => change.table === table)
}

export function isAppend({ removed, truncates }: TableChange): boolean {
  return removed.length === 0 && !truncates
}

/** Which of these files the change takes away. */
export function removedFrom(
  files: ReadonlySet<string>,
  { truncates, overwrites, removed }: TableChange,
): readonly string[] {
  if (truncates) return [...files]
  return overwrites ? removed.filter((path) => files.has(path)) : removed
}

export function nameOf({ table, snapshot }: Entry): string {
  return `${table}@${snapshot.sequenceNumber}`
}

export function difference(
  left: ReadonlySet<string>,
  right: ReadonlySet<string>,
): ReadonlySet<string> {
  return new Set([...left].filter((path) => !right.has(path)))
}

export function isSameSet(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every((path) => right.has(path))
}
