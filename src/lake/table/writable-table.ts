import type { Catalog } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import type { TableState } from '../../core/table/table.ts'
import { getTable } from './table-lookup.ts'

/** Names the key by which the keys of a table's files are encrypted. */
const ENCRYPTION_KEY_ID = 'encryption.key-id'

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
  const { encryptionKeys = {}, formatVersion, properties } = definition
  // The property comes first: engines make keys with the first files, from version 3 on.
  const isMeant = formatVersion >= 3 && Object.hasOwn(properties, ENCRYPTION_KEY_ID)
  if (Object.keys(encryptionKeys).length === 0 && !isMeant) return
  throw new CatalogError(
    'not-implemented',
    'the files of the table are encrypted, and those that are written here are not: ' +
      'commit through the Iceberg REST API',
  )
}
