import type { PartitionSpec, SortOrder } from '../partition/partition-spec.ts'
import { canTransform, type Transform, transformText } from '../partition/transform.ts'
import { findField, findPathToField } from '../schema/schema-lookup.ts'
import { isNested, type Schema, type Type, typeName } from '../value/type.ts'
import type { UnboundPartitionField } from './table-update.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

export const SPEC_FIELDS_MAX = 1_000

interface TransformedField {
  readonly sourceId: number
  readonly transform: Transform
  readonly name?: string
}

/** Checks the sources, transforms and names of a new partition spec. Throws `update-invalid`. */
export function checkPartitionFields(
  fields: readonly UnboundPartitionField[],
  schema: Schema,
): void {
  if (fields.length > SPEC_FIELDS_MAX)
    throw invalidUpdate(`More than ${SPEC_FIELDS_MAX} partition fields`)
  const names = new Set<string>()
  const ids = new Set<number>()
  for (const field of fields) {
    checkTransform(field, schema, 'partition')
    const name = shortened(field.name)
    if (name === '') throw invalidUpdate('Cannot use empty partition name')
    if (names.has(field.name)) {
      throw invalidUpdate(`Cannot use partition name more than once: ${name}`)
    }
    if (field.fieldId !== undefined && ids.has(field.fieldId)) {
      throw invalidUpdate(`Cannot use partition field id more than once: ${field.fieldId}`)
    }
    const column = schema.fields.find((other) => other.name === field.name)
    if (column !== undefined && column.id !== field.sourceId) {
      throw invalidUpdate(`Cannot create partition from name that exists in schema: ${name}`)
    }
    names.add(field.name)
    if (field.fieldId !== undefined) ids.add(field.fieldId)
  }
}

export function checkSortFields({ fields }: Pick<SortOrder, 'fields'>, schema: Schema): void {
  if (fields.length > SPEC_FIELDS_MAX)
    throw invalidUpdate(`More than ${SPEC_FIELDS_MAX} sort fields`)
  for (const field of fields) checkTransform(field, schema, 'sort')
}

/** Checks that the schema still has the columns that the table is partitioned and sorted by. */
export function checkDefaults(defaults: {
  readonly schema: Schema
  readonly spec: PartitionSpec
  readonly sortOrder: SortOrder
}): void {
  const { schema, spec, sortOrder } = defaults
  for (const field of spec.fields) checkKept(field, schema, 'partition')
  for (const field of sortOrder.fields) checkKept(field, schema, 'sort')
}

/** A void field may outlive its column, and transforms of later versions are not checked. */
function checkKept(field: TransformedField, schema: Schema, use: 'partition' | 'sort'): void {
  const { kind } = field.transform
  if (kind === 'unknown') return
  if (kind === 'void' && findField(schema, field.sourceId) === undefined) return
  checkTransform(field, schema, use)
}

function checkTransform(field: TransformedField, schema: Schema, use: 'partition' | 'sort'): void {
  const { sourceId, transform } = field
  const path = findPathToField(schema.fields, sourceId)
  const source = path?.at(-1)
  // Version 1 replaces a field by void when its column is dropped.
  if (source === undefined && transform.kind === 'void' && use === 'partition') return
  if (path === undefined || source === undefined) {
    const name = shortened(field.name ?? String(sourceId))
    throw invalidUpdate(`Cannot find source column for ${use} field: ${name} (id ${sourceId})`)
  }
  if (isNested(source.type)) {
    const verb = use === 'partition' ? 'partition' : 'sort'
    throw invalidUpdate(
      `Cannot ${verb} by non-primitive source field: ${shortened(typeName(source.type))}`,
    )
  }
  if (path.slice(0, -1).some((step) => step.type.kind !== 'struct')) {
    throw invalidUpdate(
      `Invalid ${use} field parent: ${shortened(source.name)} is in a list or map`,
    )
  }
  checkApplies(transform, source.type)
}

function checkApplies(transform: Transform, type: Type): void {
  if (canTransform(transform, type)) return
  const text = shortened(transformText(transform))
  throw invalidUpdate(`Invalid source type ${typeName(type)} for transform: ${text}`)
}
