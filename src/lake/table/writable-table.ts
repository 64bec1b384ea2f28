import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { TableState } from '../../core/table/table.ts'
import { getTable } from './table-lookup.ts'

/** A table that `/v1` can commit to: others are refused before anything is read or kept. */
export async function getWritableTable(
  catalog: Pick<Catalog, 'tables'>,
  identifier: string,
): Promise<TableState> {
  const state = await getTable(catalog, identifier)
  requireWritable(state)
  return state
}

/**
 * Throws `dataset-immutable` for the hidden table of a dataset, and `not-implemented` for one whose
 * files are encrypted: what is written here is not.
 */
export function requireWritable({ definition, namespace }: TableState): void {
  refuseReserved(namespace)
  const keys = Object.keys(definition.encryptionKeys ?? {})
  if (keys.length === 0) return
  throw new CatalogError(
    'not-implemented',
    'the files of the table are encrypted, and those that are written here are not: ' +
      'commit through the Iceberg REST API',
  )
}
