import type { Catalog } from '../../catalog/catalog.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { ObjectVending } from '../../objects/object-vending.ts'
import type { DropDependencies } from '../tables/drop-table.ts'

/** The lake, and further stores that the REST catalog uses. */
export type RestServices = LakeServices &
  DropDependencies & {
    readonly vending: ObjectVending
    /** Where an identity provider gives tokens; `undefined` if there is none, or it is down. */
    readonly tokenEndpoint?: () => Promise<string | undefined>
    readonly catalog: Pick<Catalog, 'events' | 'views' | 'namespaces' | 'replays' | 'publications'>
  }
