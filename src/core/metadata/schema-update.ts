import { highestFieldId } from '../schema/schema-lookup.ts'
import { ID_MAX } from '../table/number-room.ts'
import type { Schema } from '../value/type.ts'
import { checkDistinctNames, checkSchema, checkSchemaVersion, schemaKey } from './schema-check.ts'
import type { TableDraft } from './table-draft.ts'
import { LAST_ADDED } from './table-update.ts'
import { invalidUpdate } from './update-problem.ts'

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
