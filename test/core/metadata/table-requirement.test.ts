import { checkRequirements } from '../../../src/core/metadata/table-requirement.ts'
import type { TableRequirement } from '../../../src/core/metadata/table-update.ts'
import { refusalOf } from '../../refusal.ts'
import { addSnapshot, setRef, TableModel, tableOf, UUID } from './metadata-samples.ts'

const { state } = new TableModel().apply([
  addSnapshot(11n, 1n),
  setRef('main', 11n),
  setRef('audit', 11n),
  { action: 'set-snapshot-ref', refName: 'v1', ref: { type: 'tag', snapshotId: 11n } },
])

const HOLDING: readonly TableRequirement[] = [
  { type: 'assert-table-uuid', uuid: UUID.toUpperCase() },
  { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 11n },
  { type: 'assert-ref-snapshot-id', ref: 'audit', snapshotId: 11n },
  { type: 'assert-ref-snapshot-id', ref: 'none', snapshotId: null },
  { type: 'assert-ref-snapshot-id', ref: '__proto__', snapshotId: null },
  { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 3 },
  { type: 'assert-current-schema-id', currentSchemaId: 0 },
  { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 999 },
  { type: 'assert-default-spec-id', defaultSpecId: 0 },
  { type: 'assert-default-sort-order-id', defaultSortOrderId: 0 },
]

const FAILING: readonly (readonly [TableRequirement, string])[] = [
  [{ type: 'assert-create' }, 'table already exists'],
  [{ type: 'assert-table-uuid', uuid: 'x' }, `UUID does not match: expected ${UUID} != x`],
  [
    { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: null },
    'branch main was created concurrently',
  ],
  [
    { type: 'assert-ref-snapshot-id', ref: 'v1', snapshotId: null },
    'tag v1 was created concurrently',
  ],
  [
    { type: 'assert-ref-snapshot-id', ref: 'audit', snapshotId: 12n },
    'branch audit has changed: expected id 12 != 11',
  ],
  [
    { type: 'assert-ref-snapshot-id', ref: 'gone', snapshotId: 12n },
    'branch or tag gone is missing, expected 12',
  ],
  [
    { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 4 },
    'last assigned field id changed: expected id 4 != 3',
  ],
  [
    { type: 'assert-current-schema-id', currentSchemaId: 1 },
    'current schema changed: expected id 1 != 0',
  ],
  [
    { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 1000 },
    'last assigned partition id changed: expected id 1000 != 999',
  ],
  [
    { type: 'assert-default-spec-id', defaultSpecId: 2 },
    'default partition spec changed: expected id 2 != 0',
  ],
  // A table that is ahead of the client is as stale for it as one that is behind.
  [
    { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 2 },
    'last assigned field id changed: expected id 2 != 3',
  ],
  [
    { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 998 },
    'last assigned partition id changed: expected id 998 != 999',
  ],
  [
    { type: 'assert-current-schema-id', currentSchemaId: -1 },
    'current schema changed: expected id -1 != 0',
  ],
  [
    { type: 'assert-default-spec-id', defaultSpecId: -1 },
    'default partition spec changed: expected id -1 != 0',
  ],
  [
    { type: 'assert-default-sort-order-id', defaultSortOrderId: -1 },
    'default sort order changed: expected id -1 != 0',
  ],
  [
    { type: 'assert-ref-snapshot-id', ref: 'audit', snapshotId: 10n },
    'branch audit has changed: expected id 10 != 11',
  ],
  [
    { type: 'assert-default-sort-order-id', defaultSortOrderId: 3 },
    'default sort order changed: expected id 3 != 0',
  ],
]

describe('requirements', () => {
  test('that hold are silent', () => {
    expect(() => checkRequirements(HOLDING, state)).not.toThrow()
  })

  test.each(FAILING)('%j fails with the message that clients compare', (requirement, message) => {
    expect(refusalOf(() => checkRequirements([...HOLDING, requirement], state))).toMatchObject({
      code: 'commit-conflict',
      message: `Requirement failed: ${message}`,
      facts: { requirement: requirement.type },
    })
  })

  test('find no main branch in a table without a snapshot', () => {
    const requirement = { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: null } as const
    expect(() => checkRequirements([requirement], tableOf())).not.toThrow()
  })

  test('of a table that is to be made are to create it, and nothing else', () => {
    expect(() => checkRequirements([{ type: 'assert-create' }], undefined)).not.toThrow()
    expect(refusalOf(() => checkRequirements([...HOLDING], undefined))).toMatchObject({
      code: 'update-invalid',
      message: 'Invalid create requirements: assert-table-uuid',
    })
  })
})
