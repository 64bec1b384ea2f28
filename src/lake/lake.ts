import type { Log } from '../core/log.ts'
import type { ViewMetadata } from '../core/metadata/view-metadata.ts'
import type { TableMetadata } from '../core/table/table.ts'
import type { CommitDependencies, CommitMeter } from './commit/commit-dependencies.ts'
import type { FileHolds } from './deletion/file-holds.ts'
import type { PublicationMeter } from './publish/publisher.ts'
import type { CacheMeter } from './scan/manifest-cache.ts'
import type { TablePlaces } from './table/table-location.ts'

/** What the lake counts. */
export type Meter = CacheMeter & CommitMeter & PublicationMeter

/** Throws `metadata-corrupt`, `update-invalid` for too many properties, and `not-implemented`. */
export type ReadTableMetadata = (bytes: Uint8Array) => Promise<TableMetadata>

/** Throws `metadata-corrupt` and `not-implemented`. */
export type ReadViewMetadata = (bytes: Uint8Array) => Promise<ViewMetadata>

/** The machine of tables, all of it; service.ts puts it together. Use cases take a `Pick` of it. */
export interface LakeServices extends CommitDependencies, TablePlaces {
  /** Reads the bytes of a table's metadata file, beside the event loop. */
  readonly readTableMetadata: ReadTableMetadata
  /** Does the same for a view. */
  readonly readViewMetadata: ReadViewMetadata
  /** What this process reads. */
  readonly holds: FileHolds
  readonly meter: Meter
  readonly log: Log
}
