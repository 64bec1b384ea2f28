import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { type DumpTarget, fileNameOf, mediaTypeOf, versionOf } from './dump-key.ts'
import type { DumpProgress } from './dump-progress.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpIndex } from './format/dump-index.ts'
import type { MadeShards } from './made-shards.ts'
import type { SourceRecord } from './source/source-record.ts'
import type { SpaceOfDump } from './space/dump-space.ts'

/** A dump in the making. */
export interface DumpBuild {
  readonly target: DumpTarget
  readonly sources: readonly DumpSource[]
  readonly held: HeldFiles
  readonly made: MadeShards
  readonly record: SourceRecord
  readonly progress: DumpProgress
  /** Where the size of dumps is limited. */
  readonly space: SpaceOfDump | undefined
  readonly signal: AbortSignal
}

/** What the bytes of a dump turned out to be. */
export type DumpContent = Pick<DumpIndex, 'digestState' | 'extends' | 'sha256'>

/** The index of a dump that is made. */
export function describeDump(
  target: DumpTarget,
  { pieces }: DumpProgress,
  {
    content,
    earlier,
    ...more
  }: Pick<DumpIndex, 'createdAtMs' | 'earlier' | 'sources'> & { readonly content: DumpContent },
): DumpIndex {
  return {
    tableUuid: target.state.definition.tableUuid,
    ...versionOf(target),
    ...(earlier !== undefined && earlier.length > 0 && { earlier }),
    format: target.format,
    compression: target.compression,
    mediaType: mediaTypeOf(target),
    fileName: fileNameOf(target),
    ...more,
    pieces: [...pieces],
    lengthBytes: pieces.reduce((sum, piece) => sum + piece.lengthBytes, 0),
    rowCount: pieces.reduce((sum, piece) => sum + piece.rowCount, 0),
    ...content,
  }
}
