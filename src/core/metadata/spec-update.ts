import { PARTITION_FIELD_ID_BASE, type PartitionField } from '../partition/partition-spec.ts'
import { ID_MAX } from '../table/number-room.ts'
import { checkPartitionFields } from './spec-check.ts'
import { meaningOf, SpecIndex } from './spec-index.ts'
import type { TableDraft } from './table-draft.ts'
import {
  LAST_ADDED,
  type UnboundPartitionField,
  type UnboundPartitionSpec,
} from './table-update.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

/**
 * Adds a partition spec. One that the table already has keeps its id; a new one gets the next id.
 * Fields without ids get the id of a field with the same source and transform, or else a new one.
 */
export function addSpec(draft: TableDraft, { fields: given }: UnboundPartitionSpec): void {
  const { partitionSpecs, formatVersion } = draft.definition
  checkPartitionFields(given, currentSchemaOf(draft))
  const index = indexOf(draft)
  const known = index.findSpecId(given)
  const nextId = partitionSpecs.reduce((next, spec) => Math.max(next, spec.specId + 1), 0)
  draft.lastAddedSpecId = known ?? nextId
  if (known !== undefined) return

  const fields = assignFieldIds(draft, given)
  if (formatVersion === 1) checkSequential(fields)
  const spec = { specId: nextId, fields }
  index.add(spec)
  draft.change({
    partitionSpecs: [...partitionSpecs, spec],
    lastPartitionId: Math.max(draft.definition.lastPartitionId, ...fields.map((f) => f.fieldId)),
  })
}

export function setDefaultSpec(draft: TableDraft, givenId: number): void {
  const specId = givenId === LAST_ADDED ? draft.lastAddedSpecId : givenId
  if (specId === undefined) {
    throw invalidUpdate('Cannot set last added spec: no spec has been added')
  }
  if (!draft.definition.partitionSpecs.some((spec) => spec.specId === specId)) {
    throw invalidUpdate(`Cannot set default partition spec to unknown spec: ${specId}`)
  }
  if (specId !== draft.definition.defaultSpecId) draft.change({ defaultSpecId: specId })
}

/** Removes specs; unknown ids are ignored. */
export function removeSpecs(draft: TableDraft, specIds: readonly number[]): void {
  const { partitionSpecs, defaultSpecId } = draft.definition
  const removed = new Set(specIds)
  if (removed.has(defaultSpecId)) throw invalidUpdate('Cannot remove the default partition spec')
  const kept = partitionSpecs.filter(({ specId }) => !removed.has(specId))
  if (kept.length === partitionSpecs.length) return
  draft.change({ partitionSpecs: kept })
  for (const spec of partitionSpecs) if (removed.has(spec.specId)) draft.specIndex?.remove(spec)
  if (draft.lastAddedSpecId !== undefined && removed.has(draft.lastAddedSpecId)) {
    draft.lastAddedSpecId = undefined
  }
}

function indexOf(draft: TableDraft): SpecIndex {
  draft.specIndex ??= new SpecIndex(draft.definition.partitionSpecs)
  return draft.specIndex
}

function currentSchemaOf({ definition }: TableDraft) {
  const schema = definition.schemas.find((s) => s.schemaId === definition.currentSchemaId)
  if (schema === undefined)
    throw invalidUpdate('Cannot add a partition spec before a schema is set')
  return schema
}

function assignFieldIds(
  draft: TableDraft,
  given: readonly UnboundPartitionField[],
): readonly PartitionField[] {
  const { formatVersion, lastPartitionId } = draft.definition
  const taken = new Set(given.flatMap(({ fieldId }) => (fieldId === undefined ? [] : [fieldId])))
  let lastId = Math.max(lastPartitionId, PARTITION_FIELD_ID_BASE, ...taken)
  return given.map((field, position) => {
    // Files of version 1 contain no ids: a field's position determines its id.
    const positionId = PARTITION_FIELD_ID_BASE + 1 + position
    const givenId = field.fieldId ?? (formatVersion === 1 ? positionId : undefined)
    if (givenId !== undefined) {
      checkFieldId(draft, field, givenId)
      return { ...field, fieldId: givenId }
    }
    const reused = indexOf(draft).findFieldId(field)
    const fieldId = reused === undefined || taken.has(reused) ? ++lastId : reused
    taken.add(fieldId)
    return { ...field, fieldId }
  })
}

function checkFieldId(draft: TableDraft, field: UnboundPartitionField, fieldId: number): void {
  const highest = Math.max(ID_MAX, draft.definition.lastPartitionId)
  if (fieldId <= PARTITION_FIELD_ID_BASE || fieldId > highest) {
    throw invalidUpdate(`Invalid partition field id: ${fieldId}, ids are from 1000 to ${ID_MAX}`)
  }
  const known = indexOf(draft).findField(fieldId)
  if (known === undefined || meaningOf(known) === meaningOf(field)) return
  const isVoided = [known, field].some((either) => either.transform.kind === 'void')
  if (isVoided && known.sourceId === field.sourceId) return
  const name = shortened(field.name)
  throw invalidUpdate(
    `Cannot use partition field id ${fieldId} for ${name}: it belongs to ${shortened(known.name)}`,
  )
}

function checkSequential(fields: readonly PartitionField[]): void {
  if (fields.every(({ fieldId }, i) => fieldId === PARTITION_FIELD_ID_BASE + 1 + i)) return
  const ids = fields.map(({ fieldId }) => fieldId).join(', ')
  throw invalidUpdate(`Spec does not use sequential IDs that are required in v1: ${shortened(ids)}`)
}
