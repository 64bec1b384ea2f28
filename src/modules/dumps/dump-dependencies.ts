import type { Stores } from '../../catalog/catalog.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** What dumps need. */
export interface DumpDependencies
  extends Stores<'tables' | 'snapshots' | 'leases'>,
    Pick<LakeServices, 'ambient' | 'log' | 'manifests' | 'objects' | 'warehouse'> {
  readonly converter: Converter
}
