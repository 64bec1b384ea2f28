import { createHash } from 'node:crypto'
import { ContinuingDigest } from '../../formats/dump/continuing-digest.ts'
import { csvHeader } from '../../formats/dump/csv-header.ts'
import type { DumpCompression, DumpIndex, DumpPiece } from '../../formats/dump/dump-index.ts'
import { gzipMember } from '../../formats/dump/gzip-join.ts'
import { storedZstandardFrame } from '../../formats/dump/zstandard-frame.ts'
import { inOrder } from '../bounded.ts'
import { convertSource } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { type DumpTarget, extensionOf, folderOf } from './dump-key.ts'
import type { DumpProgress } from './dump-progress.ts'
import type { DumpSource } from './dump-sources.ts'

/** What the bytes of a dump turned out to be. */
export type DumpContent = Pick<DumpIndex, 'digestState' | 'extends' | 'sha256'>

export interface DumpBuild {
  readonly target: DumpTarget
  readonly sources: readonly DumpSource[]
  /** An earlier dump of the table in this format, to take finished shards from. */
  readonly base: DumpIndex | undefined
  readonly progress: DumpProgress
  readonly signal: AbortSignal
}

/**
 * Converts what no earlier dump has converted, and hands the pieces on in order. The digest goes on where that of the
 * base ended when this dump begins with the base's bytes.
 */
export async function buildText(deps: DumpDependencies, build: DumpBuild): Promise<DumpContent> {
  const { target, sources, base, progress, signal } = build
  const header = await headerPiece(deps, target)
  const finished = new Map(base?.pieces.map((piece) => [piece.location, piece]))
  const locations = [
    ...(header === undefined ? [] : [header.location]),
    ...sources.map((source) => source.shardLocation),
  ]
  const isPrefix = base?.pieces.every((piece, i) => piece.location === locations[i]) ?? false
  const resumed =
    isPrefix && base?.digestState !== undefined
      ? await ContinuingDigest.resume(base.digestState)
      : undefined
  const digest = resumed ?? (await ContinuingDigest.start())
  const take = async (piece: DumpPiece) => {
    progress.add(piece)
    const isHashed = resumed !== undefined && progress.pieces.length <= (base?.pieces.length ?? 0)
    if (!isHashed) await hashPiece(deps, digest, piece)
  }
  if (header !== undefined) await take(header)
  for await (const piece of inOrder(sources, deps.conversionsAtOnce, async (source) => {
    return finished.get(source.shardLocation) ?? (await convertSource(deps, target, source, signal))
  })) {
    signal.throwIfAborted()
    await take(piece)
  }
  return {
    sha256: digest.hex(),
    digestState: digest.save(),
    ...(isPrefix &&
      base !== undefined && {
        extends: { snapshotId: base.snapshotId, bytes: base.lengthBytes },
      }),
  }
}

async function hashPiece(
  deps: DumpDependencies,
  digest: ContinuingDigest,
  { location, offset, lengthBytes }: DumpPiece,
): Promise<void> {
  for await (const chunk of deps.objects.readStream(location, offset, lengthBytes)) {
    digest.update(chunk)
  }
}

/** The one header line of a CSV dump, as a piece of its own before all shards. */
async function headerPiece(
  deps: DumpDependencies,
  target: DumpTarget,
): Promise<DumpPiece | undefined> {
  if (target.format !== 'csv') return undefined
  const text = new TextEncoder().encode(csvHeader(target.schema))
  const bytes = await compressed(text, target.compression)
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
