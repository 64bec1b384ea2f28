import { requireBoundedSummary } from '../table/definition-size.ts'
import { NUMBER_MAX, TIMESTAMP_MS_MAX } from '../table/number-room.ts'
import { schemaIdAfterRollback } from '../table/schema-of-rollback.ts'
import { MAIN_BRANCH, type Snapshot, type SnapshotRef } from '../table/snapshot.ts'
import type { RefRetention, TableState } from '../table/table.ts'
import { hasSchema, withCurrentSchema } from './schema-update.ts'
import type { TableDraft } from './table-draft.ts'
import type { UnboundSnapshot } from './table-update.ts'
import { invalidUpdate, shortened, staleUpdate } from './update-problem.ts'

type Refs = TableState['refs']

const REFS_MAX = 10_000
const REF_NAME_LENGTH_MAX = 1_000

/**
 * Adds a snapshot, keeping its writer's time. A sequence number or row id that others took in
 * between is a `commit-conflict`: the client reads the table again and retries.
 */
export function addSnapshot(draft: TableDraft, given: UnboundSnapshot): void {
  const { definition, snapshots } = draft
  const { snapshotId, timestampMs } = given
  if (definition.schemas.length === 0) {
    throw invalidUpdate('Attempting to add a snapshot before a schema is added')
  }
  if (snapshotId < 0n) throw invalidUpdate(`Invalid snapshot id: ${snapshotId}`)
  if (snapshots.isTaken(snapshotId)) {
    throw invalidUpdate(`Snapshot already exists for id: ${snapshotId}`)
  }
  if (timestampMs < 0 || timestampMs > TIMESTAMP_MS_MAX) {
    throw invalidUpdate(`Invalid snapshot timestamp: ${timestampMs}`)
  }
  requireBoundedSummary(given.summary)
  const schemaId = given.schemaId ?? definition.currentSchemaId
  if (!hasSchema(draft, schemaId)) {
    throw invalidUpdate(`Cannot add snapshot with unknown schema: ${schemaId}`)
  }
  const snapshot = { ...given, schemaId }
  takeSequenceNumber(draft, snapshot)
  takeRowIds(draft, snapshot)
  snapshots.add(snapshot)
}

/**
 * Sets a ref; `main` moves the table's current snapshot. A ref may change its kind, but `main` is
 * always a branch.
 */
export function setSnapshotRef(draft: TableDraft, name: string, ref: SnapshotRef): void {
  checkRef(name, ref)
  if (draft.snapshots.find(ref.snapshotId) === undefined) {
    throw invalidUpdate(`Cannot set ${shortened(name)} to unknown snapshot: ${ref.snapshotId}`)
  }
  if (name === MAIN_BRANCH) setMain(draft, ref)
  else setOther(draft, name, ref)
}

/** Removes a ref if it exists. Without `main` a table has no current snapshot. */
export function removeSnapshotRef(draft: TableDraft, name: string): void {
  if (name !== MAIN_BRANCH) draft.refs.delete(name)
  else clearMain(draft)
}

/** Removes refs to removed snapshots, and their statistics. */
export function dropDangling(draft: TableDraft): void {
  const { snapshots, refs, statistics, partitionStatistics, mainSnapshotId } = draft
  if (!snapshots.hasRemoved) return
  for (const [name, ref] of [...refs.entries()]) {
    if (snapshots.isRemoved(ref.snapshotId)) refs.delete(name)
  }
  for (const map of [statistics, partitionStatistics]) {
    for (const [id] of [...map.entries()]) if (snapshots.isRemoved(BigInt(id))) map.delete(id)
  }
  if (mainSnapshotId !== undefined && snapshots.isRemoved(mainSnapshotId)) clearMain(draft)
}

function takeSequenceNumber(draft: TableDraft, snapshot: Snapshot): void {
  const { sequenceNumber, parentSnapshotId } = snapshot
  const last = draft.lastSequenceNumber
  if (draft.definition.formatVersion === 1) {
    if (sequenceNumber === 0n) return
    throw invalidUpdate(`Sequence number must be 0 in v1: ${sequenceNumber}`)
  }
  if (sequenceNumber < 0n) throw invalidUpdate(`Invalid sequence number: ${sequenceNumber}`)
  requireRoomAfter('sequence-number', sequenceNumber)
  // A snapshot without a parent stands for itself: if two replace a table concurrently, the files
  // of the later one have the number that it expected, and no delete file of others can apply to
  // them.
  if (sequenceNumber <= last && parentSnapshotId !== null) {
    throw staleUpdate(
      `Cannot add snapshot with sequence number ${sequenceNumber} ` +
        `older than last sequence number ${last}`,
    )
  }
  if (sequenceNumber > last) draft.lastSequenceNumber = sequenceNumber
}

/** Row lineage (Iceberg spec, "Row Lineage"). */
function takeRowIds(draft: TableDraft, { firstRowId, addedRows }: Snapshot): void {
  if (draft.definition.formatVersion < 3) return
  const next = draft.definition.nextRowId ?? 0n
  if (firstRowId === undefined) throw invalidUpdate('Cannot add a snapshot: first-row-id is null')
  if (addedRows === undefined) throw invalidUpdate('Cannot add a snapshot: added-rows is null')
  if (addedRows < 0n) throw invalidUpdate(`Invalid added-rows: ${addedRows}`)
  requireRoomAfter('first-row-id + added-rows', firstRowId + addedRows)
  if (firstRowId < next) {
    throw staleUpdate(
      `Cannot add a snapshot, first-row-id is behind table next-row-id: ${firstRowId} < ${next}`,
    )
  }
  if (firstRowId + addedRows > next) draft.change({ nextRowId: firstRowId + addedRows })
}

function requireRoomAfter(what: string, number: bigint): void {
  if (number <= NUMBER_MAX) return
  throw invalidUpdate(
    `Invalid ${what}: ${number} leaves no room for later commits; at most ${NUMBER_MAX} is taken`,
  )
}

function checkRef(name: string, ref: SnapshotRef): void {
  const { type, minSnapshotsToKeep, maxSnapshotAgeMs, maxRefAgeMs } = ref
  if (name === '') throw invalidUpdate('Invalid ref name: it is empty')
  if (name.length > REF_NAME_LENGTH_MAX) {
    throw invalidUpdate(`Invalid ref name: more than ${REF_NAME_LENGTH_MAX} characters`)
  }
  if (type === 'tag' && name === MAIN_BRANCH) throw invalidUpdate('Cannot make main a tag')
  if (type === 'tag' && minSnapshotsToKeep !== undefined) {
    throw invalidUpdate('Tags do not support setting minSnapshotsToKeep')
  }
  if (type === 'tag' && maxSnapshotAgeMs !== undefined) {
    throw invalidUpdate('Tags do not support setting maxSnapshotAgeMs')
  }
  if (minSnapshotsToKeep !== undefined && minSnapshotsToKeep <= 0) {
    throw invalidUpdate('Min snapshots to keep must be greater than 0')
  }
  if (maxSnapshotAgeMs !== undefined && maxSnapshotAgeMs <= 0) {
    throw invalidUpdate('Max snapshot age must be greater than 0 ms')
  }
  if (maxRefAgeMs !== undefined && maxRefAgeMs <= 0) {
    throw invalidUpdate('Max reference age must be greater than 0')
  }
}

/**
 * A rollback to files with a column that was converted since takes the schema of then along, as
 * that of `/v1` does: they have nothing under the column's new id. A snapshot that the commit
 * itself brings is no rollback, whatever schema its writer knew.
 */
function setMain(draft: TableDraft, ref: SnapshotRef): void {
  const { snapshots, definition } = draft
  const snapshot = snapshots.isAdded(ref.snapshotId) ? undefined : snapshots.find(ref.snapshotId)
  if (snapshot !== undefined && draft.mainSnapshotId !== ref.snapshotId) {
    const currentSchemaId = schemaIdAfterRollback(definition, snapshot.schemaId)
    if (currentSchemaId !== definition.currentSchemaId) {
      draft.change(withCurrentSchema(definition, currentSchemaId))
      draft.schemaIdOfRollback = currentSchemaId
      draft.specIndex = undefined
      draft.sortOrderIdsByKey = undefined
    }
  }
  draft.mainSnapshotId = ref.snapshotId
  const { type: _type, snapshotId: _snapshotId, ...retention } = ref
  const before = draft.definition.mainRetention ?? {}
  if (isSameRetention(before, retention)) return
  const { mainRetention: _, ...rest } = draft.definition
  const isNone = Object.keys(retention).length === 0
  draft.definition = isNone ? rest : { ...rest, mainRetention: retention }
}

function clearMain(draft: TableDraft): void {
  draft.mainSnapshotId = undefined
  if (draft.definition.mainRetention === undefined) return
  const { mainRetention: _, ...definition } = draft.definition
  draft.definition = definition
}

function setOther(draft: TableDraft, name: string, ref: SnapshotRef): void {
  const before = draft.refs.get(name)
  if (before === undefined) requireRoom(draft.refs.size)
  if (before === undefined || !isSameRef(before, ref)) draft.refs.set(name, ref)
}

/**
 * The refs with this one, other than `main`; the same object when nothing differs. Throws
 * `update-invalid` as `setSnapshotRef`.
 */
export function withRef(refs: Refs, name: string, ref: SnapshotRef): Refs {
  checkRef(name, ref)
  const before = Object.hasOwn(refs, name) ? refs[name] : undefined
  if (before === undefined) requireRoom(Object.keys(refs).length)
  return before !== undefined && isSameRef(before, ref) ? refs : { ...refs, [name]: ref }
}

function requireRoom(count: number): void {
  if (count < REFS_MAX) return
  throw invalidUpdate(`A table has at most ${REFS_MAX} branches and tags`)
}

function isSameRef(before: SnapshotRef, after: SnapshotRef): boolean {
  return (
    before.type === after.type &&
    before.snapshotId === after.snapshotId &&
    isSameRetention(before, after)
  )
}

function isSameRetention(left: RefRetention, right: RefRetention): boolean {
  return (
    left.minSnapshotsToKeep === right.minSnapshotsToKeep &&
    left.maxSnapshotAgeMs === right.maxSnapshotAgeMs &&
    left.maxRefAgeMs === right.maxRefAgeMs
  )
}
