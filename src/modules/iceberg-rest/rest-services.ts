import type { Catalog } from '../../catalog/catalog.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** The lake, and further stores that the REST catalog uses. */
export interface RestServices extends LakeServices {
  readonly catalog: LakeServices['catalog'] &
    Pick<Catalog, 'views' | 'namespaces' | 'replays' | 'publications' | 'locations'>
}
