import { arePartitionsKept } from '../partition/kept-partitions.ts'
import { UNSORTED } from '../partition/partition-spec.ts'
import { isPromotion } from '../schema/promotion.ts'
import { allFields, fieldsById, highestFieldId } from '../schema/schema-lookup.ts'
import { ID_MAX } from '../table/number-room.ts'
import { currentSchema, getSchema, type TableDefinition, type TableState } from '../table/table.ts'
import { type Field, type Schema, typeName } from '../value/type.ts'
import { checkDistinctNames, checkSchema, checkSchemaVersion, schemaKey } from './schema-check.ts'
import { fitsSchema } from './spec-check.ts'
import type { TableDraft } from './table-draft.ts'
import { LAST_ADDED, type TableUpdate } from './table-update.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

/**
 * Adds a schema. One that the table already has keeps its id; a new one gets the next id, whatever
 * id it came with.
 */
export function addSchema(draft: TableDraft, schema: Schema): void {
  const { schemas, formatVersion, lastColumnId } = draft.definition
  checkSchemaVersion(checkSchema(schema, schemas), formatVersion, schemas)
  draft.schemaIdsByKey ??= new Map(schemas.map((known) => [schemaKey(known), known.schemaId]))
  const key = schemaKey(schema)
  const known = draft.schemaIdsByKey.get(key)
  const schemaId = known ?? schemas.reduce((next, other) => Math.max(next, other.schemaId + 1), 0)
  if (known === undefined) {
    checkDistinctNames(schema, schemas)
    requireIdsLeft(highestFieldId(schema), lastColumnId)
  }
  draft.lastAddedSchemaId = schemaId
  if (known !== undefined) return
  draft.schemaIdsByKey.set(key, schemaId)
  draft.change({
    schemas: [...schemas, { ...schema, schemaId }],
    lastColumnId: Math.max(lastColumnId, highestFieldId(schema)),
  })
}

/** A table that has such an id already keeps it. */
function requireIdsLeft(highestId: number, lastColumnId: number): void {
  if (highestId <= Math.max(ID_MAX, lastColumnId)) return
  throw invalidUpdate(
    `Invalid schema: field id ${highestId} leaves none for later columns; ` +
      `at most ${ID_MAX} is taken`,
  )
}

export function setCurrentSchema(draft: TableDraft, givenId: number): void {
  const schemaId = givenId === LAST_ADDED ? draft.lastAddedSchemaId : givenId
  if (schemaId === undefined) {
    throw invalidUpdate('Cannot set last added schema: no schema has been added')
  }
  if (!hasSchema(draft, schemaId)) {
    throw invalidUpdate(`Cannot set current schema to unknown schema: ${schemaId}`)
  }
  if (schemaId !== draft.definition.currentSchemaId) draft.change({ currentSchemaId: schemaId })
}

/**
 * The table with another of its schemas as the current one. Where that lacks a column that the
 * table is partitioned or sorted by, the newest spec or sort order whose columns it has becomes the
 * default: engines could not load the table otherwise, and nothing could be written.
 */
export function withCurrentSchema(
  definition: TableDefinition,
  currentSchemaId: number,
): TableDefinition {
  if (currentSchemaId === definition.currentSchemaId) return definition
  const schema = getSchema(definition, currentSchemaId)
  const { partitionSpecs, sortOrders } = definition
  const specIds = partitionSpecs.map(({ specId }) => specId)
  const unpartitioned = { specId: Math.max(-1, ...specIds) + 1, fields: [] }
  const specs = partitionSpecs.filter(({ fields }) => fitsSchema(fields, schema))
  const defaultSpec =
    specs.find(({ specId }) => specId === definition.defaultSpecId) ??
    specs.toSorted((a, b) => b.specId - a.specId)[0] ??
    unpartitioned
  const orders = sortOrders.filter(({ fields }) => fitsSchema(fields, schema))
  const defaultOrder =
    orders.find(({ orderId }) => orderId === definition.defaultSortOrderId) ??
    orders.toSorted((a, b) => b.orderId - a.orderId)[0] ??
    UNSORTED
  return {
    ...definition,
    currentSchemaId,
    partitionSpecs: withOne(partitionSpecs, defaultSpec),
    defaultSpecId: defaultSpec.specId,
    sortOrders: withOne(sortOrders, defaultOrder),
    defaultSortOrderId: defaultOrder.orderId,
  }
}

function withOne<T>(all: readonly T[], one: T): readonly T[] {
  return all.includes(one) ? all : [...all, one]
}

/** Removes schemas; unknown ids are ignored. */
export function removeSchemas(draft: TableDraft, schemaIds: readonly number[]): void {
  const { schemas, currentSchemaId } = draft.definition
  const removed = new Set(schemaIds)
  if (removed.has(currentSchemaId)) throw invalidUpdate('Cannot remove the current schema')
  const kept = schemas.filter(({ schemaId }) => !removed.has(schemaId))
  if (kept.length === schemas.length) return
  draft.change({ schemas: kept })
  for (const schema of schemas) {
    if (removed.has(schema.schemaId)) draft.schemaIdsByKey?.delete(schemaKey(schema))
  }
  if (draft.lastAddedSchemaId !== undefined && removed.has(draft.lastAddedSchemaId)) {
    draft.lastAddedSchemaId = undefined
  }
}

export function hasSchema(draft: TableDraft, schemaId: number): boolean {
  return draft.definition.schemas.some((schema) => schema.schemaId === schemaId)
}

/**
 * Refuses a current schema in which a column has a type that files of the table cannot be read as.
 * Iceberg's own clients never ask for one, but others do. A table without rows takes any, and so
 * does a commit that replaces the table: it removes the main branch. Throws `update-invalid`.
 */
export function checkPromotions(
  { definition: before, currentSnapshot }: TableState,
  definition: TableDefinition,
  updates: readonly TableUpdate[],
): void {
  if (definition.currentSchemaId === before.currentSchemaId) return
  if (currentSnapshot === undefined || updates.some(removesMain)) return
  const known = new Map(allFields(currentSchema(before)).map((field) => [field.id, field]))
  const fields = allFields(currentSchema(definition)).filter(({ id }) => id <= before.lastColumnId)
  const again = fields.filter(({ id }) => !known.has(id)).map(({ id }) => id)
  const earlier = again.length === 0 ? undefined : fieldsById(before.schemas, new Set(again))
  for (const field of fields) {
    // One that was dropped is as in the latest schema that has it.
    const old = known.get(field.id) ?? earlier?.get(field.id)?.at(-1)
    if (old === undefined) continue
    const problem = promotionProblem(old, field, definition)
    if (problem === undefined) continue
    const names = `${shortened(typeName(old.type))} -> ${shortened(typeName(field.type))}`
    throw invalidUpdate(
      `Cannot change column type: ${shortened(field.name)}: ${names}: ${problem}, so add a ` +
        'column of that type',
      { column: shortened(field.name), fieldId: field.id },
    )
  }
}

function promotionProblem(
  old: Field,
  field: Field,
  { formatVersion, partitionSpecs }: TableDefinition,
): string | undefined {
  if (!isPromotion(old, field, formatVersion)) return 'its data files could not be read'
  const isKept = partitionSpecs.every(({ fields }) =>
    fields.every(
      ({ sourceId, transform }) =>
        sourceId !== field.id || arePartitionsKept(transform, old.type, field.type),
    ),
  )
  return isKept ? undefined : 'its data files would be in other partitions'
}

function removesMain(update: TableUpdate): boolean {
  return update.action === 'remove-snapshot-ref' && update.refName === 'main'
}
