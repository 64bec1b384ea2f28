import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { type RebuiltTable, rebuildCatalog } from '../../../src/modules/operations/rebuild.ts'
import { composeLake, type Lake } from '../../../src/service.ts'
import type { Workshop } from '../../lake/workshop.ts'

/** The services over an empty catalog and the same files, and what became of each table. */
export async function rebuiltOver(
  of: Workshop['deps'],
  openCatalog: () => Promise<Catalog> = () => openSqliteCatalog({ path: ':memory:' }),
): Promise<{ readonly deps: Lake; readonly tables: readonly RebuiltTable[] }> {
  const catalog = await openCatalog()
  await catalog.migrate()
  const deps = composeLake({ ...of, catalog })
  const tables: RebuiltTable[] = []
  for await (const table of rebuildCatalog(deps)) tables.push(table)
  await deps.publisher.close()
  return { deps, tables }
}
