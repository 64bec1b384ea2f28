import type { Catalog } from '../../catalog/catalog.ts'
import type { DatasetStore } from '../../catalog/dataset-store.ts'
import type { NamespaceStore } from '../../catalog/namespace-store.ts'
import type { TableStore } from '../../catalog/table-store.ts'
import type { ViewStore } from '../../catalog/view-store.ts'

/** Calls whoever follows when this process has made, renamed or dropped something. */
export class NameChanges {
  #follow: () => Promise<void> = async () => undefined

  follow(follow: () => Promise<void>): void {
    this.#follow = follow
  }

  happened(): Promise<void> {
    return this.#follow()
  }
}

type FollowedStores = Pick<Catalog, 'tables' | 'views' | 'namespaces' | 'datasets'>

/** Stores that tell of changes of names before they return. */
export function followedCatalog<C extends FollowedStores>(catalog: C, changes: NameChanges): C {
  return {
    ...catalog,
    tables: followedTables(catalog.tables, changes),
    views: followedViews(catalog.views, changes),
    namespaces: followedNamespaces(catalog.namespaces, changes),
    datasets: followedDatasets(catalog.datasets, changes),
  }
}

function followedTables(tables: TableStore, changes: NameChanges): TableStore {
  return {
    create: (table, options) => telling(changes, tables.create(table, options)),
    replace: (replacement, options) => telling(changes, tables.replace(replacement, options)),
    drop: (table, options) => telling(changes, tables.drop(table, options)),
    find: (key) => tables.find(key),
    findByResource: (resourceId) => tables.findByResource(resourceId),
    list: (query) => tables.list(query),
    commit: async (change, options) => {
      const outcome = await tables.commit(change, options)
      // Only a renaming keeps the metadata as it was.
      if (change.tables.some(({ keepsMetadata = false }) => keepsMetadata)) await changes.happened()
      return outcome
    },
  }
}

function followedViews(views: ViewStore, changes: NameChanges): ViewStore {
  return {
    create: (view, options) => telling(changes, views.create(view, options)),
    find: (key) => views.find(key),
    list: (query) => views.list(query),
    replace: (change, options) => telling(changes, views.replace(change, options)),
    drop: (viewUuid, options) => telling(changes, views.drop(viewUuid, options)),
  }
}

function followedNamespaces(namespaces: NamespaceStore, changes: NameChanges): NamespaceStore {
  return {
    create: (namespace, options) => telling(changes, namespaces.create(namespace, options)),
    find: (levels) => namespaces.find(levels),
    listChildren: (query) => namespaces.listChildren(query),
    updateProperties: (change, options) => namespaces.updateProperties(change, options),
    drop: (levels, options) => telling(changes, namespaces.drop(levels, options)),
  }
}

/** Their hidden tables are names, and a publication gives one an owner. */
function followedDatasets(datasets: DatasetStore, changes: NameChanges): DatasetStore {
  return {
    create: (dataset, options) => telling(changes, datasets.create(dataset, options)),
    find: (key) => datasets.find(key),
    list: (query) => datasets.list(query),
    listVersions: (name, limit) => datasets.listVersions(name, limit),
    listDue: (query) => datasets.listDue(query),
    finish: (finish, options) => telling(changes, datasets.finish(finish, options)),
    prepare: (preparation) => datasets.prepare(preparation),
    describe: (correction, options) => datasets.describe(correction, options),
    publish: (publication, options) => telling(changes, datasets.publish(publication, options)),
    end: (ending, options) => telling(changes, datasets.end(ending, options)),
  }
}

async function telling<T>(changes: NameChanges, change: Promise<T>): Promise<T> {
  const outcome = await change
  await changes.happened()
  return outcome
}
