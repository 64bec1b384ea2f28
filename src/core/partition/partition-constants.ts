import { CatalogError } from '../errors.ts'
import type { DataFile } from '../file/data-file.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../schema/column-projection.ts'
import type { Value } from '../value/value.ts'
import type { PartitionSpec } from './partition-spec.ts'

/**
 * What the partition of a file says about whole columns, by field id: the values of its identity
 * fields (Iceberg spec, "Column Projection"). Throws `metadata-corrupt` for an unknown spec.
 */
export function partitionConstants(
  specs: readonly PartitionSpec[],
  { specId, partition, path }: Pick<DataFile, 'specId' | 'partition' | 'path'>,
): ConstantColumns {
  const spec = specs.find((each) => each.specId === specId)
  if (spec === undefined) {
    throw new CatalogError('metadata-corrupt', `${path} is of the unknown partition spec ${specId}`)
  }
  const identities = spec.fields.flatMap(({ sourceId, transform }, i): [number, Value | null][] =>
    transform.kind === 'identity' ? [[sourceId, partition[i] ?? null]] : [],
  )
  return identities.length === 0 ? NO_CONSTANTS : new Map(identities)
}
