/** The service without its audit: rows are made, and neither kept nor sealed. */
import type { Catalog } from '../src/catalog/catalog.ts'
import { runService } from './run-service.ts'

function withoutAudit(catalog: Catalog): Catalog {
  catalog.audit.add = () => Promise.resolve()
  return catalog
}

await runService({ wrapCatalog: withoutAudit }, 'no row of the audit is kept')
