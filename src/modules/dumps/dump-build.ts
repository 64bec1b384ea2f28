import type { DumpTarget } from './dump-key.ts'
import type { DumpProgress } from './dump-progress.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpIndex } from './format/dump-index.ts'
import type { MadeShards } from './made-shards.ts'
import type { SourceRecord } from './source/source-record.ts'

/** A dump in the making. */
export interface DumpBuild {
  readonly target: DumpTarget
  readonly sources: readonly DumpSource[]
  readonly made: MadeShards
  readonly record: SourceRecord
  readonly progress: DumpProgress
  readonly signal: AbortSignal
}

/** What the bytes of a dump turned out to be. */
export type DumpContent = Pick<DumpIndex, 'digestState' | 'extends' | 'sha256'>
