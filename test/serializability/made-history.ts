import type { History, LoggedSnapshot, Operation, TableChange, TableResult } from './history.ts'
import { removedFrom } from './replay.ts'

/** Each file of these histories has this many records. */
export const RECORDS = 10

export interface Asked {
  readonly id: string
  readonly at: readonly [calledAt: number, answeredAt: number]
  /** By table: `+a` adds a file, `-a` removes one, `*` truncates, `!` takes what is live. */
  readonly changes: Readonly<Record<string, string>>
  readonly outcome?: Operation['outcome']
  readonly touchedBy?: number
}

/**
 * Groups of operations, each in one snapshot of its tables, carried out one after the other as they
 * should be.
 */
export function historyOf(groups: readonly (readonly Asked[])[]): History {
  const logs = new Map<string, LoggedSnapshot[]>()
  const operations = groups.flatMap((group) => carryOut(group, logs))
  return {
    operations,
    readings: [],
    contradictions: [],
    tables: [...logs].map(([table, snapshots]) => ({ table, snapshots })),
  }
}

function carryOut(group: readonly Asked[], logs: Map<string, LoggedSnapshot[]>): Operation[] {
  const operations = group.map(operationOf)
  const done = operations.filter(({ outcome }) => outcome !== 'refused')
  const tables = new Set(done.flatMap(({ changes }) => changes.map(({ table }) => table)))
  const results = new Map<string, TableResult[]>()
  for (const table of tables) {
    const log = logs.get(table) ?? []
    logs.set(table, log)
    const members = done.filter(({ changes }) => changes.some((c) => c.table === table))
    if (hasNoEffect(members, table, log.at(-1))) continue
    const snapshot = nextSnapshot(table, log.at(-1), members)
    for (const { id, changes } of members) {
      const change = changes.find((c) => c.table === table) as TableChange
      const mine = [...(results.get(id) ?? []), resultOf(snapshot, change, log.at(-1))]
      results.set(id, mine)
    }
    log.push(snapshot)
  }
  return operations.map((operation) =>
    operation.outcome === 'committed'
      ? { ...operation, results: results.get(operation.id) ?? [] }
      : operation,
  )
}

function hasNoEffect(
  members: readonly Operation[],
  table: string,
  before: LoggedSnapshot | undefined,
): boolean {
  const changes = members.flatMap((m) => m.changes.filter((change) => change.table === table))
  const files = new Set(before?.files)
  return changes.every((c) => c.added.length === 0 && removedFrom(files, c).length === 0)
}

function operationOf({ id, at, changes, outcome = 'committed', touchedBy }: Asked): Operation {
  return {
    ...{ id, outcome, calledAt: at[0], answeredAt: at[1] },
    changes: Object.entries(changes).map(([table, text]) => ({
      ...changeOf(table, text.split(' ')),
      ...(touchedBy !== undefined && { touchedBy }),
    })),
  }
}

function changeOf(table: string, words: readonly string[]): TableChange {
  const of = (sign: string) => words.filter((w) => w.startsWith(sign)).map((w) => w.slice(1))
  return {
    table,
    added: of('+').map((path) => ({ path, records: RECORDS })),
    removed: of('-'),
    truncates: words.includes('*'),
    overwrites: words.includes('!'),
  }
}

function nextSnapshot(
  table: string,
  before: LoggedSnapshot | undefined,
  members: readonly Operation[],
): LoggedSnapshot {
  const changes = members.flatMap((m) => m.changes.filter((change) => change.table === table))
  const removed = new Set(changes.flatMap((change) => change.removed))
  const isTruncated = changes.some((change) => change.truncates)
  const stays = (before?.files ?? []).filter((path) => !isTruncated && !removed.has(path))
  const files = [...stays, ...changes.flatMap((change) => change.added.map(({ path }) => path))]
  const sequenceNumber = Number(before?.sequenceNumber ?? 0) + 1
  return {
    snapshotId: `${table}-${sequenceNumber}`,
    parentSnapshotId: before?.snapshotId ?? null,
    sequenceNumber: String(sequenceNumber),
    timestampMs: 1000 + sequenceNumber,
    operation: 'append',
    operationIds: members.map(({ id }) => id),
    transactionIds: members.map(({ id }) => `transaction of ${id}`),
    files,
    totalFiles: files.length,
    totalRecords: files.length * RECORDS,
  }
}

function resultOf(
  snapshot: LoggedSnapshot,
  change: TableChange,
  before: LoggedSnapshot | undefined,
): TableResult {
  const removed = removedFrom(new Set(before?.files), change).length
  const added = change.added.length
  const operation = added === 0 ? 'delete' : 'overwrite'
  return {
    table: change.table,
    snapshotId: snapshot.snapshotId,
    parentSnapshotId: snapshot.parentSnapshotId,
    sequenceNumber: snapshot.sequenceNumber,
    timestampMs: snapshot.timestampMs,
    operation: removed === 0 ? 'append' : operation,
    ...{ addedFiles: added, addedRecords: added * RECORDS },
    ...{ removedFiles: removed, removedRecords: removed * RECORDS },
  }
}

/** The same history with other operations, where the change says so. */
export function withOperation(
  history: History,
  id: string,
  change: (operation: Operation) => Operation,
): History {
  const operations = history.operations.map((o) => (o.id === id ? change(o) : o))
  return { ...history, operations }
}

/** The same history with other snapshots in a log. */
export function withLog(
  history: History,
  table: string,
  change: (snapshots: readonly LoggedSnapshot[]) => readonly LoggedSnapshot[],
): History {
  const tables = history.tables.map((log) =>
    log.table === table ? { table, snapshots: change(log.snapshots) } : log,
  )
  return { ...history, tables }
}

/** With these files in place of what it has, and totals to match. */
export function withFiles(snapshot: LoggedSnapshot, files: readonly string[]): LoggedSnapshot {
  return { ...snapshot, files, totalFiles: files.length, totalRecords: files.length * RECORDS }
}
