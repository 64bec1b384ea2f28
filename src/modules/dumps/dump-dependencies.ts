import type { Converter } from '../../lake/convert/converter.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** What dumps need. */
export interface DumpDependencies
  extends Pick<
    LakeServices,
    'ambient' | 'catalog' | 'log' | 'manifests' | 'objects' | 'warehouse'
  > {
  readonly converter: Converter
}
