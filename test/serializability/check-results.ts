import type { Operation, TableChange, TableResult } from './history.ts'
import { type Entry, mayBeCurrent, nameOf, type Replay, removedFrom } from './replay.ts'

/**
 * What each committed operation was answered is what the log says of it, and the counts are its
 * own.
 */
export function checkResults(replay: Replay): string[] {
  return replay.history.operations.flatMap((operation) => {
    const { results, outcome, id, changes } = operation
    if (outcome !== 'committed' || results === undefined) return []
    const strangers = results.filter((r) => !changes.some(({ table }) => table === r.table))
    return [
      ...strangers.map(({ table }) => `${id}: it was answered a result for ${table}`),
      ...changes.flatMap((change) => checkChange(replay, operation, change)),
    ]
  })
}

function checkChange(replay: Replay, operation: Operation, change: TableChange): string[] {
  const { id } = operation
  const timeline = replay.timelines.get(change.table)
  const entry = timeline?.entries.find(({ members }) => members.includes(operation))
  const results = operation.results?.filter(({ table }) => table === change.table) ?? []
  const [result] = results
  if (results.length > 1) return [`${id}: it was answered two results for ${change.table}`]
  if (result !== undefined && entry === undefined) return [`${id}: its result has no snapshot`]
  if (result !== undefined && entry !== undefined)
    return compare(replay, { id, entry, result, change })
  if (entry !== undefined) return [`${nameOf(entry)}: ${id} was answered no result for it`]
  const hasNothing = (index: number) =>
    removedFrom(timeline?.entries[index]?.files ?? new Set(), change).length === 0
  const states = [-1, ...(timeline?.entries.keys() ?? [])]
  const mayBe = states.some(
    (index) =>
      timeline !== undefined && hasNothing(index) && mayBeCurrent(timeline, index, operation),
  )
  return mayBe ? [] : [`${id}: it had an effect on ${change.table}, and was answered none`]
}

function compare(
  { recordsOf }: Replay,
  {
    id,
    entry,
    result,
    change,
  }: {
    readonly id: string
    readonly entry: Entry
    readonly result: TableResult
    readonly change: TableChange
  },
): string[] {
  const { snapshot, before } = entry
  const removed = removedFrom(before, change)
  const sum = (paths: readonly string[]) =>
    paths.reduce((records, path) => records + (recordsOf.get(path) ?? 0), 0)
  const expected: Omit<TableResult, 'table'> = {
    snapshotId: snapshot.snapshotId,
    parentSnapshotId: snapshot.parentSnapshotId,
    sequenceNumber: snapshot.sequenceNumber,
    timestampMs: snapshot.timestampMs,
    operation: operationOf(change.added.length, removed.length),
    addedFiles: change.added.length,
    addedRecords: change.added.reduce((records, file) => records + file.records, 0),
    removedFiles: removed.length,
    removedRecords: sum(removed),
  }
  const names = Object.keys(expected) as (keyof typeof expected)[]
  return names
    .filter((name) => result[name] !== expected[name])
    .map(
      (name) =>
        `${nameOf(entry)}: ${id} was answered ${name} ${result[name]}, not ${expected[name]}`,
    )
}

function operationOf(added: number, removed: number): string {
  if (removed === 0) return 'append'
  return added === 0 ? 'delete' : 'overwrite'
}
