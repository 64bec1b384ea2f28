import { readdirSync, readFileSync } from 'node:fs'
import { findRef } from '../../../../src/core/metadata/table-requirement.ts'
import type { Snapshot } from '../../../../src/core/table/snapshot.ts'
import type { TableMetadata, TableState } from '../../../../src/core/table/table.ts'
import { parseExactJson } from '../../../../src/formats/json/exact-json.ts'
import { tableMetadataFromJson } from '../../../../src/formats/metadata/table-metadata-json.ts'
import { parseCommitTableRequest } from '../../../../src/modules/iceberg-rest/requests/table-request-json.ts'
import { TableModel } from '../../../core/metadata/metadata-samples.ts'

const FOLDER = new URL('rest-golden/', import.meta.url)
const CASES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))

function stateOf({ definition, lastSequenceNumber, lastUpdatedMs }: TableMetadata): TableState {
  return {
    namespace: [],
    name: 'planets',
    definition,
    version: 0,
    lastSequenceNumber,
    lastUpdatedMs,
    createdAtMs: lastUpdatedMs,
    currentSnapshot: undefined,
    refs: {},
    metadataLocation: undefined,
    publishedVersion: 0,
  }
}

/**
 * PyIceberg makes orphans of snapshots whose parent expires; Iceberg's Java library, and this one,
 * do not.
 */
function byId(snapshots: readonly Snapshot[]): ReadonlyMap<bigint, Snapshot> {
  const ids = new Set(snapshots.map(({ snapshotId }) => snapshotId))
  return new Map(
    snapshots.map((snapshot) => {
      const { snapshotId, parentSnapshotId } = snapshot
      const isKept = parentSnapshotId !== null && ids.has(parentSnapshotId)
      return [snapshotId, isKept ? snapshot : { ...snapshot, parentSnapshotId: null }]
    }),
  )
}

// Made by rest-golden/make-cases.py.
test('there are cases', () => expect(CASES.length).toBeGreaterThanOrEqual(6))

test.each(CASES)('%s ends as it does in PyIceberg', (name) => {
  const { base, updates, expected } = parseExactJson(
    readFileSync(new URL(name, FOLDER), 'utf8'),
  ) as Record<string, unknown>
  const request = parseCommitTableRequest({ requirements: [], updates })
  const model = new TableModel(stateOf(tableMetadataFromJson(base))).apply(request.updates)

  const theirs = tableMetadataFromJson(expected)
  const { state } = model
  expect(state.definition).toEqual(theirs.definition)
  expect(state.lastSequenceNumber).toBe(theirs.lastSequenceNumber)
  expect(state.currentSnapshot?.snapshotId).toBe(theirs.currentSnapshotId)
  expect(byId([...model.snapshots.values()])).toEqual(byId(theirs.snapshots))
  const main = findRef(state, 'main')
  expect({ ...state.refs, ...(main !== undefined && { main }) }).toEqual(theirs.refs)
  expect(model.log.at(-1)?.snapshotId).toBe(theirs.snapshotLog.at(-1)?.snapshotId)
})
