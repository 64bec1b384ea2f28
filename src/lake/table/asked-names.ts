import type { Catalog } from '../../catalog/catalog.ts'
import type { TableStore } from '../../catalog/table-store.ts'
import type { ViewStore } from '../../catalog/view-store.ts'
import type { Found } from '../../core/access/found.ts'

/**
 * The same for one call, which asks again for each table and view that it finds by a name: the name
 * may have become another one's since its privileges were asked for.
 */
export function asking<D extends { readonly catalog: Partial<Pick<Catalog, 'tables' | 'views'>> }>(
  deps: D,
  { found }: { readonly found: Found },
): D {
  const { tables, views } = deps.catalog
  const catalog = {
    ...deps.catalog,
    ...(tables && { tables: askedTables(tables, found) }),
    ...(views && { views: askedViews(views, found) }),
  }
  return { ...deps, catalog }
}

function askedTables(tables: TableStore, found: Found): TableStore {
  return {
    create: (table, options) => tables.create(table, options),
    replace: (replacement, options) => tables.replace(replacement, options),
    drop: (table, options) => tables.drop(table, options),
    find: async (key) => {
      const state = await tables.find(key)
      if (state === undefined || 'tableUuid' in key) return state
      await found({ on: 'table', name: key, uuid: state.definition.tableUuid })
      return state
    },
    findByResource: (resourceId) => tables.findByResource(resourceId),
    list: (query) => tables.list(query),
    commit: (change, options) => tables.commit(change, options),
  }
}

function askedViews(views: ViewStore, found: Found): ViewStore {
  return {
    create: (view, options) => views.create(view, options),
    find: async (key) => {
      const state = await views.find(key)
      if (state === undefined || 'viewUuid' in key) return state
      await found({ on: 'view', name: key, uuid: state.viewUuid })
      return state
    },
    list: (query) => views.list(query),
    replace: (change, options) => views.replace(change, options),
    drop: (viewUuid, options) => views.drop(viewUuid, options),
  }
}
