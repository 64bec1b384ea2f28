import type { PartitionSpec, SortOrder } from '../partition/partition-spec.ts'
import { canTransform, type Transform, transformText } from '../partition/transform.ts'
import { findField, findPathToField } from '../schema/schema-lookup.ts'
import { isNested, type Schema, typeName } from '../value/type.ts'
import type { UnboundPartitionField } from './table-update.ts'
import { invalidUpdate, shortened } from './update-problem.ts'

export const SPEC_FIELDS_MAX = 1_000

type Use = 'partition' | 'sort'

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

/** Whether a table with this schema may be partitioned by these fields, or sorted. */
export function fitsSchema(fields: readonly TransformedField[], schema: Schema): boolean {
  return fields.every((field) => keptProblem(field, schema, 'partition') === undefined)
}

function checkKept(field: TransformedField, schema: Schema, use: Use): void {
  throwIfAny(keptProblem(field, schema, use))
}

function checkTransform(field: TransformedField, schema: Schema, use: Use): void {
  throwIfAny(transformProblem(field, schema, use))
}

function throwIfAny(problem: string | undefined): void {
  if (problem !== undefined) throw invalidUpdate(problem)
}

/** A void field may outlive its column, and transforms of later versions are not checked. */
function keptProblem(field: TransformedField, schema: Schema, use: Use): string | undefined {
  const { kind } = field.transform
  if (kind === 'unknown') return undefined
  if (kind === 'void' && findField(schema, field.sourceId) === undefined) return undefined
  return transformProblem(field, schema, use)
}

function transformProblem(field: TransformedField, schema: Schema, use: Use): string | undefined {
  const { sourceId, transform } = field
  const path = findPathToField(schema.fields, sourceId)
  const source = path?.at(-1)
  // Version 1 replaces a field by void when its column is dropped.
  if (source === undefined && transform.kind === 'void' && use === 'partition') return undefined
  if (path === undefined || source === undefined) {
    const name = shortened(field.name ?? String(sourceId))
    return `Cannot find source column for ${use} field: ${name} (id ${sourceId})`
  }
  if (isNested(source.type)) {
    const verb = use === 'partition' ? 'partition' : 'sort'
    return `Cannot ${verb} by non-primitive source field: ${shortened(typeName(source.type))}`
  }
  if (path.slice(0, -1).some((step) => step.type.kind !== 'struct')) {
    return `Invalid ${use} field parent: ${shortened(source.name)} is in a list or map`
  }
  if (canTransform(transform, source.type)) return undefined
  const text = shortened(transformText(transform))
  return `Invalid source type ${typeName(source.type)} for transform: ${text}`
}
