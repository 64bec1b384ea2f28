import { CatalogError } from '../errors.ts'
import { findField, findFieldByName } from '../schema/schema-lookup.ts'
import { isNested, type Schema, typeName } from '../value/type.ts'
import {
  PARTITION_FIELD_ID_BASE,
  type PartitionField,
  type PartitionSpec,
} from './partition-spec.ts'
import { canTransform, parseTransform, type Transform, transformText } from './transform.ts'

/** A partition field in the format of `/v1`. */
export interface PartitioningColumn {
  readonly column: string
  /** As in Iceberg: `identity`, `month`, `bucket[16]`, ... */
  readonly transform: string
}

const PARTITION_FIELDS_MAX = 32

/**
 * The first partition spec of a table. Throws `partitioning-invalid`, which names the column and
 * the rule.
 */
export function buildPartitionSpec(
  schema: Schema,
  partitioning: readonly PartitioningColumn[],
): PartitionSpec {
  if (partitioning.length > PARTITION_FIELDS_MAX) {
    throw refuse('', `a table has at most ${PARTITION_FIELDS_MAX} partition fields`)
  }
  const fields = partitioning.map((column, index) =>
    partitionField(schema, column, PARTITION_FIELD_ID_BASE + 1 + index),
  )
  const names = new Set<string>()
  for (const field of fields) {
    if (names.has(field.name))
      throw refuse(field.name, 'it is partitioned by twice in the same way')
    names.add(field.name)
  }
  return { specId: 0, fields }
}

export function describePartitioning(
  spec: PartitionSpec,
  schema: Schema,
): readonly (PartitioningColumn & { readonly name: string })[] {
  return spec.fields.map((field) => ({
    name: field.name,
    column: findField(schema, field.sourceId)?.name ?? `field ${field.sourceId}`,
    transform: transformText(field.transform),
  }))
}

function partitionField(
  schema: Schema,
  { column, transform: text }: PartitioningColumn,
  fieldId: number,
): PartitionField {
  const source = findFieldByName(schema, column)
  if (source === undefined) throw refuse(column, 'the table has no such column')
  const transform = parseTransform(text)
  if (transform.kind === 'unknown') {
    throw refuse(
      column,
      `${text.slice(0, 100)} is not a transform: use identity, year, month, day, hour, ` +
        'bucket[N], truncate[N] or void',
    )
  }
  if (isNested(source.type) || !canTransform(transform, source.type)) {
    throw refuse(column, `${text} does not apply to ${typeName(source.type)}`)
  }
  const name = partitionFieldName(source.name, transform)
  if (transform.kind !== 'identity' && findFieldByName(schema, name) !== undefined) {
    throw refuse(column, `the partition field would be named ${name}, like a column of the table`)
  }
  return { fieldId, sourceId: source.id, name, transform }
}

/** Named as in Iceberg's Java library. */
function partitionFieldName(column: string, transform: Transform): string {
  switch (transform.kind) {
    case 'identity':
      return column
    case 'truncate':
      return `${column}_trunc`
    case 'void':
      return `${column}_null`
    default:
      return `${column}_${transform.kind}`
  }
}

function refuse(column: string, rule: string): CatalogError {
  return new CatalogError('partitioning-invalid', column === '' ? rule : `${column}: ${rule}`, {
    facts: { column, rule },
  })
}
