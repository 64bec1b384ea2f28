import { checkSchemaVersion } from '../../../src/core/metadata/schema-check.ts'
import { checkPromotions } from '../../../src/core/metadata/schema-update.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import type { Schema } from '../../../src/core/value/type.ts'
import { refusalOf } from '../../refusal.ts'
import { tableOf } from './metadata-samples.ts'

const COLUMNS = 2_000
const SCHEMAS = 80
/** Three times what either takes beside other work; by looking for each column it was 13 s. */
const CPU_MS_MAX = 1_000

/** Columns that no other schema has. */
function schemaAt(schemaId: number): Schema {
  const fields = Array.from({ length: COLUMNS }, (_, i) => {
    const id = 1 + schemaId * COLUMNS + i
    return { id, name: `c${id}`, required: false, type: { kind: 'int' as const } }
  })
  return { schemaId, fields, identifierFieldIds: [] }
}

const schemas = Array.from({ length: SCHEMAS }, (_, i) => schemaAt(i))

function cpuMsOf(work: () => void): number {
  const begun = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1_000
}

test('columns that come back are compared with those of all schemas at once', () => {
  const { definition, ...state } = tableOf(2)
  const lastColumnId = SCHEMAS * COLUMNS
  const before = { ...definition, schemas, lastColumnId, currentSchemaId: SCHEMAS - 1 }
  const table = { ...state, definition: before, currentSnapshot: {} } as unknown as TableState
  const again = { ...before, currentSchemaId: 0 }
  expect(cpuMsOf(() => checkPromotions(table, again, []))).toBeLessThan(CPU_MS_MAX)
  const narrowed = schemas.with(1, {
    ...schemaAt(1),
    fields: schemaAt(0).fields.map((field) => ({ ...field, type: { kind: 'boolean' as const } })),
  })
  const other = { ...table, definition: { ...before, schemas: narrowed } }
  const { facts } = refusalOf(() => checkPromotions(other, { ...again, schemas: narrowed }, []))
  expect(facts).toMatchObject({ column: 'c1', fieldId: 1 })
})

test('defaults are looked for in all schemas at once', () => {
  const fields = schemaAt(0).fields.map((field) => ({
    path: field.name,
    field: { ...field, initialDefault: 7 },
  }))
  const check = () => checkSchemaVersion(fields, 2, schemas)
  const { message } = refusalOf(check)
  expect(message).toContain('Invalid initial default for c1')
  expect(cpuMsOf(() => refusalOf(check))).toBeLessThan(CPU_MS_MAX)
  const [first, ...others] = schemas as [Schema, ...Schema[]]
  const withDefaults = { ...first, fields: fields.map(({ field }) => field) }
  expect(cpuMsOf(() => checkSchemaVersion(fields, 2, [...others, withDefaults]))).toBeLessThan(
    CPU_MS_MAX,
  )
})
