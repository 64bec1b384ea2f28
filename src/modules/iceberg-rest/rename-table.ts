import type { CatalogError } from '../../core/errors.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { renameTable } from '../../lake/commit/table-rename.ts'
import { getTargetNamespace } from '../namespaces/namespaces.ts'
import { nameTaken } from './create-table.ts'
import { NO_CONTENT } from './kept-answer.ts'
import { getRestTable } from './load-table.ts'
import { readIdentifier, requestNode } from './requests/table-request-json.ts'
import { requireRestName } from './rest-name.ts'
import type { RestServices } from './rest-services.ts'
import type { UseCaseCall } from './use-case-call.ts'

/**
 * Renames a table, possibly into another namespace, which must exist (Iceberg REST specification,
 * `RenameTableRequest`). Its metadata stays: Iceberg's does not tell the name.
 */
export async function renameRestTable(
  deps: RestServices,
  json: unknown,
  { keeper, authorize }: UseCaseCall,
): Promise<void> {
  const node = requestNode(json)
  const source = requireRestName(readIdentifier(node.get('source')))
  const destination = requireRestName(readIdentifier(node.get('destination')))
  await authorize('own', [{ on: 'table', name: source }])
  await authorize('create', [{ on: 'namespace', name: destination.namespace }])
  const { tableUuid } = (await getRestTable(deps, source)).definition
  const { levels } = await getTargetNamespace(deps, destination.namespace, '/iceberg/v1')
  const target = { namespace: levels, name: destination.name }
  await renameTable(deps, {
    tableUuid,
    target,
    find: () => getRestTable(deps, source),
    taken: (existing) => cannotRename(source, target, existing),
    options: () => keeper.withEffect(NO_CONTENT),
  })
}

function cannotRename(
  from: NamespacedName,
  to: NamespacedName,
  existing: 'table' | 'view',
): CatalogError {
  const what = existing === 'table' ? 'Table' : 'View'
  const detail = `Cannot rename ${shownName(from)} to ${shownName(to)}. ${what} already exists`
  return nameTaken(to, existing, detail)
}
