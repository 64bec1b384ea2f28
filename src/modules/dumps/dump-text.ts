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
 * Converts what no earlier dump has converted, and adds the pieces in order. If an earlier dump is
 * a prefix of this one, its digest is continued.
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
      extends: {
        snapshotId: prefix.snapshotId,
        ...(prefix.schemaId !== undefined && { schemaId: prefix.schemaId }),
        bytes: prefix.lengthBytes,
      },
    }),
  }
}

/** The longest earlier dump that is a prefix of this one. */
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

/** `undefined` if a shard of the prefix is gone: made again, it may differ, so all is hashed. */
async function resumeAfter(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { made, target }: DumpBuild,
  prefix: DumpIndex | undefined,
): Promise<ContinuingDigest | undefined> {
  if (prefix === undefined || !made.haveWhole(prefix.pieces)) return undefined
  const location = indexLocationIn(folderOf(deps.warehouse, target), prefix)
  return resumeDigest(deps, { index: prefix, location })
}

/**
 * What precedes all shards: the header line of CSV, or the compression of no bytes, which is not
 * itself empty.
 */
async function headerPiece(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { target, sources }: DumpBuild,
): Promise<DumpPiece | undefined> {
  const { format, compression, schema } = target
  const isCompressedNothing = sources.length === 0 && compression !== 'none'
  if (format !== 'csv' && !isCompressedNothing) return undefined
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
