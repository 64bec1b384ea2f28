import { checkOrder } from './check-order.ts'
import { checkReadings } from './check-readings.ts'
import { checkResults } from './check-results.ts'
import type { History, LoggedSnapshot, Operation } from './history.ts'
import {
  changeOf,
  type Entry,
  isAppend,
  isSameSet,
  nameOf,
  type Replay,
  removedFrom,
  replayOf,
} from './replay.ts'

/**
 * What speaks against the history being strictly serializable: empty when each log is an order of
 * the operations that explains every answer, agrees with real time and with the other logs, and
 * holds every acknowledged operation once, every refused one never, and the others at most once,
 * whole.
 */
export function checkHistory(history: History): string[] {
  const replay = replayOf(history)
  return [
    ...history.contradictions,
    ...history.tables.flatMap(({ table, snapshots }) => checkLog(table, snapshots)),
    ...[...replay.timelines.values()].flatMap(({ entries }) => entries.flatMap(checkEntry(replay))),
    ...checkPresence(replay),
    ...checkResults(replay),
    ...checkOrder(replay),
    ...checkReadings(replay),
  ]
}

/**
 * A log by itself: numbers and times grow, each snapshot follows the one before, nothing is there
 * twice.
 */
function checkLog(table: string, snapshots: readonly LoggedSnapshot[]): string[] {
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const [index, snapshot] of snapshots.entries()) {
    const at = `${table}@${snapshot.sequenceNumber}`
    wrong.push(...checkNext(snapshot, snapshots[index - 1]).map((what) => `${at}: ${what}`))
    for (const id of [...snapshot.operationIds, ...snapshot.transactionIds, snapshot.snapshotId]) {
      if (seen.has(id)) wrong.push(`${at}: ${id} is in the log twice`)
      seen.add(id)
    }
  }
  return wrong
}

function checkNext(snapshot: LoggedSnapshot, before: LoggedSnapshot | undefined): string[] {
  const wrong: string[] = []
  if (BigInt(snapshot.sequenceNumber) !== BigInt(before?.sequenceNumber ?? 0) + 1n) {
    wrong.push(`its sequence number follows ${before?.sequenceNumber ?? 'nothing'}`)
  }
  if (before !== undefined && snapshot.timestampMs <= before.timestampMs) {
    wrong.push('its time is not after that of the snapshot before')
  }
  if (snapshot.parentSnapshotId !== (before?.snapshotId ?? null)) {
    wrong.push('its parent is not the snapshot before')
  }
  return wrong
}

function checkEntry(replay: Replay): (entry: Entry) => string[] {
  return (entry) =>
    [...checkMembers(entry), ...checkEffect(entry, replay)].map(
      (what) => `${nameOf(entry)}: ${what}`,
    )
}

function checkMembers({ snapshot, members, table }: Entry): string[] {
  const changes = members.map((member) => changeOf(member, table))
  const isAlone = changes.some((change) => change !== undefined && !isAppend(change))
  const unknown = snapshot.operationIds.filter((id) => !members.some((m) => m.id === id))
  const strangers = members.filter((_, index) => changes[index] === undefined)
  return [
    ...(members.length === 0 ? ['nobody made it'] : []),
    ...unknown.map((id) => `nobody is ${id}`),
    ...strangers.map(({ id }) => `${id} has nothing to do with this table`),
    ...(isAlone && members.length > 1 ? ['what truncates or removes shares it with others'] : []),
  ]
}

/** A snapshot changes what its operations asked for, no more and no less. */
function checkEffect(entry: Entry, { recordsOf }: Replay): string[] {
  const { snapshot, files } = entry
  const { added, removed } = effectOf(entry)
  const wrong: string[] = []
  if (files.size !== snapshot.files.length) wrong.push('a file is in it twice')
  if (!isSameSet(added, entry.added)) {
    wrong.push(`it adds ${show(entry.added)}, not ${show(added)}`)
  }
  if (!isSameSet(removed, entry.removed)) {
    wrong.push(`it removes ${show(entry.removed)}, not ${show(removed)}`)
  }
  const records = [...files].reduce((sum, path) => sum + (recordsOf.get(path) ?? 0), 0)
  if (snapshot.totalFiles !== files.size) wrong.push(`its total of files is ${snapshot.totalFiles}`)
  if (snapshot.totalRecords !== records) {
    wrong.push(`its total of records is ${snapshot.totalRecords}, not ${records}`)
  }
  return wrong
}

function effectOf({ members, before, table }: Entry) {
  const changes = members.flatMap((member) => changeOf(member, table) ?? [])
  const added = new Set(changes.flatMap((change) => change.added.map(({ path }) => path)))
  const removed = new Set(changes.flatMap((change) => removedFrom(before, change)))
  return { added, removed }
}

function show(paths: ReadonlySet<string>): string {
  const names = [...paths].map((path) => path.slice(path.lastIndexOf('/') + 1))
  return names.length === 0 ? 'nothing' : names.slice(0, 5).join(' ')
}

/** Acknowledged: in every table. Refused: in none. Unknown: one or the other. */
function checkPresence({ history, timelines }: Replay): string[] {
  const present = new Map<string, Set<string>>()
  for (const [table, { entries }] of timelines) {
    for (const { members } of entries) {
      for (const { id } of members) present.set(id, (present.get(id) ?? new Set()).add(table))
    }
  }
  return history.operations.flatMap((operation) => {
    const tables = present.get(operation.id) ?? new Set()
    // What finds nothing to take away leaves no snapshot: check-results.ts asks whether nothing was
    // there.
    const leavesOne = operation.changes.filter(
      ({ added, removed, overwrites }) => added.length > 0 || (removed.length > 0 && !overwrites),
    )
    const missing = leavesOne.filter(({ table }) => !tables.has(table))
    return judge(operation, { isThere: tables.size > 0, isWhole: missing.length === 0 })
  })
}

function judge(
  { id, outcome }: Operation,
  { isThere, isWhole }: { readonly isThere: boolean; readonly isWhole: boolean },
): string[] {
  if (outcome === 'refused') return isThere ? [`${id}: it was refused, and is there`] : []
  if (isThere && !isWhole) return [`${id}: it is at some of its tables only`]
  return outcome === 'committed' && !isWhole ? [`${id}: it was acknowledged, and is lost`] : []
}
