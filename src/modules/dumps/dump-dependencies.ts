import type { Stores } from '../../catalog/catalog.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import type { LakeServices } from '../../lake/lake.ts'

/** What dumps need. */
export interface DumpDependencies
  extends Stores<'leases' | 'paths' | 'snapshots' | 'tables'>,
    Pick<LakeServices, 'ambient' | 'holds' | 'log' | 'manifests' | 'objects' | 'warehouse'> {
  readonly converter: Converter
}

/** Counts dumps that are made. */
export interface DumpMeter {
  dumpStarted(): void
  dumpFailed(code: string): void
}

export interface DumpOptions {
  /** How many of the newest dumps are kept, for each table and format. */
  readonly keepNewest: number
  /** Size of all dumps together, and of those in the making; unlimited by default. */
  readonly bytesMax?: number
  readonly meter?: DumpMeter
  /** Dumps this long are hashed once more, so that the digest of the next can continue. */
  readonly continuedBytesMin?: number
}
