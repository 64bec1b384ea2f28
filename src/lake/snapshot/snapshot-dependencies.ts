import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

/** What writing the files of a snapshot takes. */
export interface SnapshotDependencies extends Stores<'snapshots'> {
  readonly objects: ObjectStore
  readonly ambient: Ambient
  readonly manifests: ManifestCache
}
