import { CatalogError } from '../../../core/errors.ts'
import { ProblemError } from '../../../problem/problems.ts'
import type { KeptAnswer } from '../kept-answer.ts'
import { loadTableByUuid } from '../load-table.ts'
import { readUnregistered } from '../register-table.ts'
import type { RestServices } from '../rest-services.ts'
import { findViewByUuid } from '../view-catalog.ts'
import { json, noContent } from './rest-reply.ts'
import type { IcebergReply } from './rest-route.ts'
import { metadataReply, tableReply } from './table-reply.ts'
import { viewReply } from './view-reply.ts'

/**
 * The answer to a repeated request. Of a table it is what the table is now (Iceberg REST specification,
 * `Idempotency-Key`: "may reflect a newer state"); when it was dropped since, that is said instead.
 */
export async function replayReply(deps: RestServices, kept: KeptAnswer): Promise<IcebergReply> {
  switch (kept.kind) {
    case 'empty':
      return noContent()
    case 'json':
      return json(kept.value, { status: kept.status })
    case 'table': {
      const loaded = await loadTableByUuid(deps, kept.tableUuid)
      if (loaded !== undefined) return tableReply(loaded, 'all')
      throw new CatalogError('table-not-found', 'The request was done; its table is dropped since')
    }
    case 'metadata-file':
      return metadataReply(await readUnregistered(deps, kept.location))
    case 'view': {
      const view = await findViewByUuid(deps, kept.viewUuid)
      if (view !== undefined) return viewReply(view)
      throw new ProblemError('view-not-found', 'The request was done; its view is dropped since')
    }
  }
}
