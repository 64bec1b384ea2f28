import { highestFieldId } from '../../../src/core/schema/schema-lookup.ts'
import { currentSchema, defaultSpec } from '../../../src/core/table/table.ts'
import type { TableModel } from './metadata-samples.ts'

/**
 * What the Iceberg specification says of every table, and Iceberg's Java library checks when it
 * reads one.
 */
export function expectValidTable(model: TableModel): void {
  expectValidDefinition(model)
  expectValidSnapshots(model)
  expectValidLog(model)
}

function expectValidDefinition({ state: { definition } }: TableModel): void {
  const { schemas, partitionSpecs, sortOrders } = definition
  for (const ids of [
    schemas.map((s) => s.schemaId),
    partitionSpecs.map((s) => s.specId),
    sortOrders.map((o) => o.orderId),
  ]) {
    expect(new Set(ids).size).toBe(ids.length)
  }
  expect(sortOrders.map((o) => o.orderId)).toContain(definition.defaultSortOrderId)
  expect(definition.lastColumnId).toBeGreaterThanOrEqual(
    Math.max(...schemas.map((schema) => highestFieldId(schema))),
  )
  const columnIds = currentSchema(definition).fields.map((f) => f.id)
  for (const field of defaultSpec(definition).fields) {
    if (field.transform.kind !== 'void') expect(columnIds).toContain(field.sourceId)
  }
  for (const { fields } of partitionSpecs) {
    const fieldIds = fields.map((f) => f.fieldId)
    expect(new Set(fieldIds).size).toBe(fieldIds.length)
    for (const id of fieldIds) {
      expect(id).toBeGreaterThanOrEqual(1000)
      expect(id).toBeLessThanOrEqual(definition.lastPartitionId)
    }
    if (definition.formatVersion === 1) expect(fieldIds).toEqual(fieldIds.map((_, i) => 1000 + i))
  }
}

function expectValidSnapshots({ state, snapshots }: TableModel): void {
  const { definition, currentSnapshot, refs } = state
  for (const snapshot of snapshots.values()) {
    expect(snapshot.sequenceNumber).toBeLessThanOrEqual(state.lastSequenceNumber)
    if (definition.formatVersion === 3 && snapshot.firstRowId !== undefined) {
      const end = snapshot.firstRowId + (snapshot.addedRows ?? 0n)
      expect(end).toBeLessThanOrEqual(definition.nextRowId ?? 0n)
    }
  }
  if (definition.formatVersion === 1) expect(state.lastSequenceNumber).toBe(0n)
  if (currentSnapshot !== undefined) {
    expect(snapshots.get(currentSnapshot.snapshotId)).toBe(currentSnapshot)
    expect(definition.schemas.map((s) => s.schemaId)).toContain(currentSnapshot.schemaId)
  }
  expect(refs).not.toHaveProperty('main')
  for (const ref of Object.values(refs)) expect(snapshots.has(ref.snapshotId)).toBe(true)
  for (const record of [definition.statistics, definition.partitionStatistics]) {
    for (const id of Object.keys(record ?? {})) expect(snapshots.has(BigInt(id))).toBe(true)
  }
}

function expectValidLog({ state, snapshots, log }: TableModel): void {
  for (const [i, entry] of log.entries()) {
    expect(entry.timestampMs).toBeGreaterThan(log[i - 1]?.timestampMs ?? 0)
    expect(snapshots.has(entry.snapshotId)).toBe(true)
  }
  const last = log.at(-1)
  if (last !== undefined) expect(state.lastUpdatedMs).toBeGreaterThanOrEqual(last.timestampMs)
  if (state.currentSnapshot !== undefined) {
    expect(last?.snapshotId).toBe(state.currentSnapshot.snapshotId)
  }
}
