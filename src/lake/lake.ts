import type { Log } from '../core/log.ts'
import type { CommitDependencies, CommitMeter } from './commit/commit-dependencies.ts'
import type { PublicationMeter } from './publish/publisher.ts'
import type { CacheMeter } from './scan/manifest-cache.ts'
import type { Warehouse } from './table/table-location.ts'

/** What the lake counts. */
export type Meter = CacheMeter & CommitMeter & PublicationMeter

/** The machine of tables, all of it; service.ts puts it together. Use cases take a `Pick` of it. */
export interface LakeServices extends CommitDependencies, Warehouse {
  readonly meter: Meter
  readonly log: Log
}
