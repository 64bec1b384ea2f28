import type { Stores } from '../../catalog/catalog.ts'
import type { Visibility } from '../../core/access/visibility.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import type { Page } from '../../http/page-token.ts'
import { getNamespace } from '../namespaces/namespaces.ts'
import { type PageRequest, readPages } from './page.ts'

/** Lists the tables of one namespace, sorted by name ignoring case. */
export async function listTables(
  deps: Stores<'tables' | 'namespaces'>,
  { namespace, page }: { readonly namespace: readonly string[]; readonly page: PageRequest },
  visibleTo: Visibility | undefined,
): Promise<Page<NamespacedName>> {
  await getNamespace(deps, namespace)
  const { items, nextPageToken } = await readPages(page, {
    list: (name, limit) =>
      deps.catalog.tables.list({
        namespace,
        limit,
        ...(name === undefined ? {} : { after: { namespace, name } }),
        visibleTo,
      }),
    position: ({ name }) => name,
  })
  return { items: items.map(({ name, namespace: of }) => ({ namespace: of, name })), nextPageToken }
}
