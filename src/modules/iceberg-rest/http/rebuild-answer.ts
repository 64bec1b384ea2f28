import type { Stores } from '../../../catalog/catalog.ts'
import { CatalogError } from '../../../core/errors.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import type { KeptFacts, RepeatedCall } from '../../../http/route.ts'
import type { LakeServices } from '../../../lake/lake.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { getNamespace } from '../../namespaces/namespaces.ts'
import { type LoadDependencies, loadTableByUuid } from '../load-table.ts'
import { readUnregistered } from '../register-table.ts'
import type { AccessDependencies } from '../vending/table-access.ts'
import { findViewByUuid } from '../view-catalog.ts'
import { askedOf } from './asked-access.ts'
import { changedTableReply, metadataReply } from './table-reply.ts'
import { viewReply } from './view-reply.ts'

/** The stored facts of `kept-answer.ts` to rebuild a response from: one of these. */
interface IcebergFacts {
  readonly tableUuid?: string
  readonly viewUuid?: string
  readonly metadataLocation?: string
  readonly namespace?: readonly string[]
}

/**
 * Rebuilds the response to a repeated request, from the table as it is now (Iceberg REST
 * specification, `Idempotency-Key`: "may reflect a newer state"). Throws if it was dropped since,
 * and says or lends no more than a load would: the caller may have lost privileges since.
 */
export async function rebuildAnswer(
  deps: LoadDependencies &
    AccessDependencies &
    Stores<'namespaces' | 'views'> &
    Pick<LakeServices, 'readTableMetadata'>,
  from: KeptFacts,
  { first, request, authorize }: Pick<RepeatedCall, 'first' | 'request' | 'authorize'>,
): Promise<Reply> {
  const { tableUuid, viewUuid, metadataLocation, namespace } = from as IcebergFacts
  if (tableUuid !== undefined) {
    await authorize('select', [{ on: 'table', name: tableUuid }])
    const loaded = await loadTableByUuid(deps, tableUuid)
    const asked = () => askedOf({ request, authorize }, tableUuid)
    if (loaded !== undefined) return changedTableReply(deps, loaded, { asked, request })
    throw new CatalogError(
      'table-not-found',
      'The request succeeded, but its table was dropped since',
    )
  }
  if (viewUuid !== undefined) {
    await authorize('select', [{ on: 'view', name: viewUuid }])
    const view = await findViewByUuid(deps, viewUuid)
    if (view !== undefined) return viewReply(view)
    throw new ProblemError(
      'view-not-found',
      'The request succeeded, but its view was dropped since',
    )
  }
  if (metadataLocation !== undefined) {
    return metadataReply(await readUnregistered(deps, metadataLocation))
  }
  if (namespace !== undefined) {
    await authorize('describe', [{ on: 'namespace', name: namespace }])
    const { levels, properties } = await getNamespace(deps, namespace)
    return jsonReply({ namespace: levels, properties })
  }
  return first
}
