import { createHash } from 'node:crypto'
import { inOrder } from '../../core/bounded.ts'
import { resumeDigest } from './digest-state.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import { obtainShard } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { hashPieces } from './dump-digest.ts'
import { indexLocationIn } from './dump-folder.ts'
import { extensionOf, folderOf } from './dump-key.ts'
import { ContinuingDigest } from './format/continuing-digest.ts'
import { csvHeader } from './format/csv-header.ts'
import type { DumpCompression, DumpIndex, DumpPiece } from './format/dump-index.ts'
import { gzipMember } from './format/gzip-join.ts'
import { storedZstandardFrame } from './format/zstandard-frame.ts'

/**
 * Converts what no earlier dump has converted, and hands the pieces on in order. The digest goes on
 * where that of an earlier dump ended when this one begins with its bytes.
 */
export async function buildText(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
): Promise<DumpContent> {
  const { sources, progress, signal } = build
  const header = await headerPiece(deps, build)
  const prefix = findPrefix(build, header)
  const resumed = await resumeAfter(deps, build, prefix)
  const digest = resumed ?? createHash('sha256')
  const hashedPieces = resumed === undefined ? 0 : (prefix?.pieces.length ?? 0)
  const take = async (piece: DumpPiece) => {
    progress.add(piece)
    if (progress.pieces.length <= hashedPieces) return
    await hashPieces(deps.objects, { pieces: [piece], digest, signal })
  }
  if (header !== undefined) await take(header)
  const shards = inOrder(sources, deps.converter.atOnce, (source) =>
    obtainShard(deps, build, source),
  )
  for await (const shard of shards) await take(shard)
  return {
    sha256: digest instanceof ContinuingDigest ? digest.hex() : digest.digest('hex'),
    ...(resumed !== undefined && { digestState: resumed.save() }),
    ...(prefix !== undefined && {
      extends: { snapshotId: prefix.snapshotId, bytes: prefix.lengthBytes },
    }),
  }
}

/** The longest earlier dump that this one begins with. */
function findPrefix(
  { target, sources, made }: DumpBuild,
  header: DumpPiece | undefined,
): DumpIndex | undefined {
  const locations = sources.map((source) => source.shardLocation)
  if (header !== undefined) locations.unshift(header.location)
  const prefixes = made.bases.filter(
    ({ pieces, snapshotId }) =>
      snapshotId !== target.snapshot.snapshotId &&
      pieces.every((piece, i) => piece.location === locations[i]),
  )
  return prefixes.sort((a, b) => b.lengthBytes - a.lengthBytes)[0]
}

/** A shard that is gone is made again, and may have other bytes than it had: then all is hashed. */
async function resumeAfter(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { made, target }: DumpBuild,
  prefix: DumpIndex | undefined,
): Promise<ContinuingDigest | undefined> {
  if (prefix === undefined || !made.haveWhole(prefix.pieces)) return undefined
  const location = indexLocationIn(folderOf(deps.warehouse, target), prefix.snapshotId)
  return resumeDigest(deps, { index: prefix, location })
}

/**
 * What comes before all shards: the one header line of CSV. A compressed file of nothing is not
 * empty, so that stands there, too.
 */
async function headerPiece(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { target, sources }: DumpBuild,
): Promise<DumpPiece | undefined> {
  const { format, compression, schema } = target
  const isOfNothing = sources.length === 0 && compression !== 'none'
  if (format !== 'csv' && !isOfNothing) return undefined
  const text = new TextEncoder().encode(format === 'csv' ? csvHeader(schema) : '')
  const bytes = await compressed(text, compression)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const folder = `${folderOf(deps.warehouse, target)}/shards`
  const location = `${folder}/header-${sha256}.${extensionOf(target)}`
  await deps.objects.putIfAbsent(location, bytes)
  return { location, offset: 0, lengthBytes: bytes.length, rowCount: 0, sha256 }
}

async function compressed(text: Uint8Array, compression: DumpCompression): Promise<Uint8Array> {
  if (compression === 'none') return text
  return compression === 'gzip' ? gzipMember(text) : storedZstandardFrame(text)
}
