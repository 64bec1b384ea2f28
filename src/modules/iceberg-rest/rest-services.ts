import type { Catalog } from '../../catalog/catalog.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** The lake, and the stores that only the REST catalog uses beyond it. */
export interface RestServices extends LakeServices {
  readonly catalog: LakeServices['catalog'] &
    Pick<Catalog, 'views' | 'namespaces' | 'replays' | 'publications'>
}
