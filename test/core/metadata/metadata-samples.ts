import { applyTableUpdates } from '../../../src/core/metadata/apply-table-updates.ts'
import { newTableDefinition } from '../../../src/core/metadata/new-table.ts'
import type { TableUpdate, UnboundSnapshot } from '../../../src/core/metadata/table-update.ts'
import type { Snapshot } from '../../../src/core/table/snapshot.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import type { Field, PlainPrimitiveName, Schema } from '../../../src/core/value/type.ts'
import { refusalOf } from '../../refusal.ts'

export const UUID = '9c12d441-03fe-4693-9a96-a0705ddf69c1'
export const BORN_MS = 1_700_000_000_000

export function field(
  id: number,
  name: string,
  kind: PlainPrimitiveName = 'long',
  more: Partial<Field> = {},
): Field {
  return { id, name, required: false, type: { kind }, ...more }
}

export function schemaOf(...fields: readonly Field[]): Schema {
  return { schemaId: 0, fields, identifierFieldIds: [] }
}

export const SCHEMA = schemaOf(
  field(1, 'id', 'long', { required: true }),
  field(2, 'name', 'string'),
  field(3, 'at', 'timestamp'),
)

export function tableOf(formatVersion: 1 | 2 | 3 = 2): TableState {
  return {
    namespace: ['default'],
    name: 'planets',
    definition: newTableDefinition({
      tableUuid: UUID,
      location: 's3://bucket/planets',
      schema: SCHEMA,
      properties: { 'format-version': String(formatVersion) },
    }),
    version: 7,
    lastSequenceNumber: 0n,
    lastUpdatedMs: BORN_MS,
    createdAtMs: BORN_MS,
    currentSnapshot: undefined,
    refs: {},
    metadataLocation: undefined,
    publishedVersion: -1,
  }
}

export function snapshotOf(
  id: bigint,
  sequenceNumber: bigint,
  more: Partial<Snapshot> = {},
): UnboundSnapshot {
  return {
    snapshotId: id,
    parentSnapshotId: null,
    sequenceNumber,
    timestampMs: BORN_MS,
    operation: 'append',
    summary: {},
    manifestList: `s3://bucket/planets/${id}.avro`,
    ...more,
  }
}

export function addSnapshot(
  id: bigint,
  sequenceNumber: bigint,
  more: Partial<Snapshot> = {},
): TableUpdate {
  return { action: 'add-snapshot', snapshot: snapshotOf(id, sequenceNumber, more) }
}

export function setRef(refName: string, snapshotId: bigint): TableUpdate {
  return { action: 'set-snapshot-ref', refName, ref: { type: 'branch', snapshotId } }
}

/** Applies batches one after the other and remembers snapshots as a catalog would. */
export class TableModel {
  state: TableState
  readonly snapshots = new Map<bigint, Snapshot>()
  log: { readonly timestampMs: number; readonly snapshotId: bigint }[] = []

  constructor(state: TableState = tableOf()) {
    this.state = state
  }

  apply(updates: readonly TableUpdate[], nowMs = BORN_MS): this {
    const findSnapshot = (id: bigint) => this.snapshots.get(id)
    const change = applyTableUpdates(this.state, updates, { nowMs, findSnapshot })
    this.state = change.state
    for (const snapshot of change.newSnapshots) this.snapshots.set(snapshot.snapshotId, snapshot)
    const removed = new Set(change.removedSnapshotIds)
    for (const id of removed) this.snapshots.delete(id)
    const lastGap = this.log.findLastIndex(({ snapshotId }) => removed.has(snapshotId))
    this.log = [...this.log.slice(lastGap + 1), ...change.newLogEntries]
    return this
  }
}

/** What a table of this version says of updates that are not valid. */
export function refusalFor(updates: readonly TableUpdate[], version: 1 | 2 | 3 = 2): string {
  const { code, message } = refusalOf(() => new TableModel(tableOf(version)).apply(updates))
  expect(code).toBe('update-invalid')
  return message
}
