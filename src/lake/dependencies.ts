import type { Catalog } from '../catalog/catalog.ts'
import type { Ambient } from '../core/ambient.ts'
import type { Log } from '../core/log.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Publisher } from './publish/publisher.ts'
import type { CacheMeter, ManifestCache } from './scan/manifest-cache.ts'

/** What the lake counts. */
export interface Meter extends CacheMeter {
  committed(transactions: number): void
  commitRefused(code: string): void
  /** Another commit came first and the batch goes again. */
  commitRetried(): void
  filesStaged(files: number): void
  published(): void
}

/** What use cases need; main.ts decides which adapters supply it. */
export interface Dependencies {
  readonly catalog: Catalog
  readonly objects: ObjectStore
  readonly ambient: Ambient
  readonly manifests: ManifestCache
  readonly publisher: Publisher
  readonly meter: Meter
  readonly log: Log
  /** Root below which new tables get their location; no slash at the end. */
  readonly warehouse: string
}
