import { inOrder } from '../../core/bounded.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import { obtainEmptyShard, obtainShard } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { sha256OfPieces } from './dump-digest.ts'
import { ARROW_END_BYTES, ARROW_PREFIX_BYTES, arrowSchemaBytes } from './format/arrow-ipc.ts'
import type { DumpPiece } from './format/dump-index.ts'

/** One Arrow IPC stream: the schema of the first shard, the batches of all, and one end. */
export async function buildArrow(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
): Promise<DumpContent> {
  const { progress, signal } = build
  let last: DumpPiece | undefined
  for await (const shard of shardsOf(deps, build)) {
    const prefix = await deps.objects.readRange(shard.location, 0, ARROW_PREFIX_BYTES)
    const schemaBytes = arrowSchemaBytes(prefix)
    if (last === undefined) progress.add(part(shard, { offset: 0, lengthBytes: schemaBytes }))
    const lengthBytes = shard.lengthBytes - schemaBytes - ARROW_END_BYTES
    progress.add({ ...part(shard, { offset: schemaBytes, lengthBytes }), rowCount: shard.rowCount })
    last = shard
  }
  if (last !== undefined) {
    const offset = last.lengthBytes - ARROW_END_BYTES
    progress.add(part(last, { offset, lengthBytes: ARROW_END_BYTES }))
  }
  return { sha256: await sha256OfPieces(deps.objects, progress.pieces, signal) }
}

function shardsOf(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
): AsyncIterable<DumpPiece> {
  // A table without files still needs a shard, for its schema message.
  const sources = build.sources.length === 0 ? [undefined] : build.sources
  return inOrder(sources, deps.converter.atOnce, (source) =>
    source === undefined ? obtainEmptyShard(deps, build) : obtainShard(deps, build, source),
  )
}

function part(
  { location }: DumpPiece,
  place: Pick<DumpPiece, 'offset' | 'lengthBytes'>,
): DumpPiece {
  return { location, ...place, rowCount: 0 }
}
