import { LAST_ADDED, type TableUpdate } from '../../../src/core/metadata/table-update.ts'
import type { PlainPrimitiveName } from '../../../src/core/value/type.ts'
import { addSnapshot, field, schemaOf, setRef, TableModel, tableOf } from './metadata-samples.ts'

const ID = field(1, 'id', 'long', { required: true })

/** A schema with `at` of this type and field id, made the current one. */
function withAt(kind: PlainPrimitiveName, id: number): readonly TableUpdate[] {
  return [
    {
      action: 'add-schema',
      schema: schemaOf(ID, field(2, 'name', 'string'), field(id, 'at', kind)),
    },
    { action: 'set-current-schema', schemaId: LAST_ADDED },
  ]
}

interface Change {
  readonly version: 2 | 3
  readonly from: PlainPrimitiveName
  readonly to: PlainPrimitiveName
  /** Field id of `at` from then on. */
  readonly id: number
}

/** Whether a rollback from past a change of `at` leaves the newest schema. */
function leavesSchema({ version, from, to, id }: Change): boolean {
  const rows = (firstRowId: bigint) => (version === 3 ? { firstRowId, addedRows: 10n } : {})
  const model = new TableModel(tableOf(version)).apply(withAt(from, 3))
  model.apply([addSnapshot(1n, 1n, rows(0n)), setRef('main', 1n)])
  if (id === 3 && version === 2) {
    // As a conversion of `/v1`, which keeps the id where the table has a name mapping.
    const { definition } = model.state
    const converted = schemaOf(ID, field(2, 'name', 'string'), field(3, 'at', to))
    const schemas = [...definition.schemas, { ...converted, schemaId: 2 }]
    model.state = { ...model.state, definition: { ...definition, schemas, currentSchemaId: 2 } }
  } else model.apply(withAt(to, id))
  const { currentSchemaId } = model.state.definition
  model.apply([addSnapshot(2n, 2n, { parentSnapshotId: 1n, ...rows(10n) }), setRef('main', 2n)])
  return model.apply([setRef('main', 1n)]).state.definition.currentSchemaId === currentSchemaId
}

test.each<[string, boolean, Change]>([
  ['of a new id', false, { version: 2, from: 'long', to: 'double', id: 4 }],
  ['that kept its id', false, { version: 2, from: 'long', to: 'double', id: 3 }],
  ['that is read as it is', true, { version: 3, from: 'date', to: 'timestamp', id: 3 }],
  ['of other values', true, { version: 2, from: 'string', to: 'binary', id: 4 }],
])('a rollback past a column %s leaves the schema: %s', (_, isLeft, change) => {
  expect(leavesSchema(change)).toBe(isLeft)
})

test('a snapshot that a commit brings leaves the schema, whichever its writer knew', () => {
  const model = new TableModel().apply(withAt('long', 4)).apply(withAt('double', 5))
  const { currentSchemaId } = model.state.definition
  model.apply([addSnapshot(1n, 1n, { schemaId: currentSchemaId - 1 }), setRef('main', 1n)])
  expect(model.state.definition.currentSchemaId).toBe(currentSchemaId)
})
