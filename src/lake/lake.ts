import type { Log } from '../core/log.ts'
import type {
  CommitDependencies,
  CommitMeter,
  CommitServices,
} from './commit/commit-dependencies.ts'
import type { PublicationMeter } from './publish/publisher.ts'
import type { CacheMeter } from './scan/manifest-cache.ts'
import type { Warehouse } from './table/table-location.ts'

/** What the lake counts. */
export type Meter = CacheMeter & CommitMeter & PublicationMeter

/** What use cases need; service.ts decides which adapters supply it. */
export interface Dependencies extends CommitServices, Warehouse {
  readonly meter: Meter
  readonly log: Log
}

/** The machine of tables: all of it, the queue of commits included. */
export interface LakeServices extends Dependencies, CommitDependencies {
  readonly meter: Meter
}
