import type { Catalog } from '../../catalog/catalog.ts'
import { exportSecurable } from '../../catalog/grant-store.ts'
import { parseTableIdentifier, type TableIdentifier } from '../../core/table/table-name.ts'
import type { Target } from '../../http/authorizer.ts'

/** Names looked up for one batch; more stay without an id. */
const LOOKUPS_MAX = 200

/** Ids of what requests named, as the catalog knows them now; for one batch of rows. */
export class TargetNames {
  readonly #catalog: Pick<Catalog, 'tables' | 'views'>
  readonly #found = new Map<string, Promise<string>>()

  constructor(catalog: Pick<Catalog, 'tables' | 'views'>) {
    this.#catalog = catalog
  }

  /** As the subject of an event; empty if it is not known. */
  async subjectOf(target: Target | undefined): Promise<string> {
    if (target === undefined) return ''
    switch (target.on) {
      case 'catalog':
        return 'catalog'
      case 'namespace':
        return target.name.join('.')
      case 'transaction':
        return target.name
      case 'export':
        return exportSecurable(target.name)
      default: {
        const key = identifierOf(target)
        if (key === undefined) return ''
        return 'tableUuid' in key ? key.tableUuid : this.#find(target.on, key)
      }
    }
  }

  #find(
    on: 'table' | 'view',
    key: { readonly namespace: readonly string[]; readonly name: string },
  ): Promise<string> {
    const id = JSON.stringify([on, ...key.namespace, key.name])
    const known = this.#found.get(id)
    if (known !== undefined) return known
    if (this.#found.size >= LOOKUPS_MAX) return Promise.resolve('')
    const { tables, views } = this.#catalog
    const found =
      on === 'table'
        ? tables.find(key).then((state) => state?.definition.tableUuid ?? '')
        : views.find(key).then((state) => state?.viewUuid ?? '')
    this.#found.set(id, found)
    return found
  }
}

/** `undefined` for what names nothing. */
export function identifierOf({
  name,
}: Extract<Target, { on: 'table' | 'view' }>): TableIdentifier | undefined {
  if (typeof name !== 'string') return name
  try {
    return parseTableIdentifier(name)
  } catch {
    return undefined
  }
}
