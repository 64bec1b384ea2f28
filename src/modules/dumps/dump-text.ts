import { createHash } from 'node:crypto'
import { inOrder } from '../../core/bounded.ts'
import { resumeDigest } from './digest-state.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import { obtainShard } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { hashPieces } from './dump-digest.ts'
import { indexLocationIn, versionText } from './dump-folder.ts'
import { extensionOf, folderOf, versionOf } from './dump-key.ts'
import { ContinuingDigest } from './format/continuing-digest.ts'
import type { DumpCompression, DumpExtension, DumpIndex, DumpPiece } from './format/dump-index.ts'
import { gzipMember } from './format/gzip-join.ts'
import { type TextFrame, textFrame } from './format/text-frame.ts'
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
  const frame = textFrame(build.target.format, build.target.schema)
  const header = await headPiece(deps, build, frame)
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
  for await (const shard of separated(shards, frame)) await take(shard)
  const hasRows = progress.pieces.some(({ rowCount }) => rowCount > 0)
  const tail = await framePiece(deps, build, frame.tail(hasRows))
  if (tail !== undefined) await take(tail)
  return {
    sha256: digest instanceof ContinuingDigest ? digest.hex() : digest.digest('hex'),
    ...(resumed !== undefined && { digestState: resumed.save() }),
    ...(prefix !== undefined && {
      extends: extensionTo(prefix),
    }),
  }
}

function extensionTo({ snapshotId, schemaId, edition, ...prefix }: DumpIndex): DumpExtension {
  return {
    snapshotId,
    ...(schemaId !== undefined && { schemaId }),
    ...(edition !== undefined && { edition }),
    fileName: prefix.fileName,
    bytes: prefix.lengthBytes,
  }
}

/** The longest earlier dump that is a prefix of this one. */
function findPrefix(
  { target, sources, made }: DumpBuild,
  header: DumpPiece | undefined,
): DumpIndex | undefined {
  const locations = sources.map((source) => source.shardLocation)
  if (header !== undefined) locations.unshift(header.location)
  const own = versionText(versionOf(target))
  const prefixes = made.bases.filter(
    ({ pieces, ...index }) =>
      versionText(index) !== own && pieces.every((piece, i) => piece.location === locations[i]),
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
 * Rows that are separated have no separator after the last one: it is cut from the last shard that
 * has rows.
 */
async function* separated(
  shards: AsyncIterable<DumpPiece>,
  { separatorBytes }: TextFrame,
): AsyncGenerator<DumpPiece> {
  let held: DumpPiece | undefined
  for await (const shard of shards) {
    if (separatorBytes > 0 && shard.lengthBytes === 0) continue
    if (held !== undefined) yield held
    held = separatorBytes > 0 ? shard : undefined
    if (held === undefined) yield shard
  }
  if (held !== undefined) yield { ...held, lengthBytes: held.lengthBytes - separatorBytes }
}

const BYTE_ORDER_MARK = '\uFEFF'

/** What precedes all shards; the compression of no bytes, where there are none, is not empty. */
async function headPiece(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  build: DumpBuild,
  { head }: TextFrame,
): Promise<DumpPiece | undefined> {
  const { sources, target } = build
  const isCompressedNothing = sources.length === 0 && target.compression !== 'none'
  const mark = target.bom === true ? BYTE_ORDER_MARK : ''
  return framePiece(deps, build, mark + head, isCompressedNothing || mark + head !== '')
}

/** Text around the rows, as an object that all dumps of the folder share. */
async function framePiece(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { target }: DumpBuild,
  text: string,
  isNeeded = text !== '',
): Promise<DumpPiece | undefined> {
  if (!isNeeded && text === '') return undefined
  const bytes = await compressed(new TextEncoder().encode(text), target.compression)
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
