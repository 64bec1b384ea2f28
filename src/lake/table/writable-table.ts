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
  requireWritableVersion(state)
  return state
}

/**
 * Throws `dataset-immutable` for the hidden table of a dataset, and `not-implemented`: row lineage,
 * which version 3 asks of every writer, is not written here yet.
 */
export function requireWritableVersion({ definition, namespace }: TableState): void {
  refuseReserved(namespace)
  if (definition.formatVersion <= 2) return
  throw new CatalogError(
    'not-implemented',
    `the table is of Iceberg format version ${definition.formatVersion}; here files are ` +
      'committed to versions 1 and 2: commit through the Iceberg REST API',
    { facts: { formatVersion: definition.formatVersion } },
  )
}
