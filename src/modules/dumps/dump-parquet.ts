import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { INSPECTIONS_AT_ONCE } from '../../core/limits.ts'
import { partitionConstants } from '../../core/partition/partition-constants.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../../core/schema/column-projection.ts'
import type { Schema } from '../../core/value/type.ts'
import type { ParquetFooter } from '../../formats/parquet/footer/footer.ts'
import {
  planStitch,
  type StitchPart,
  type StitchPlan,
} from '../../formats/parquet/stitch/stitch.ts'
import { stitchProblem } from '../../formats/parquet/stitch/stitch-problem.ts'
import { projectFileSchema } from '../../formats/parquet/stitch/stitch-projection.ts'
import { physicalSchemaKey, type StitchSchema } from '../../formats/parquet/stitch/stitch-schema.ts'
import { namingDataFile, requireRows } from '../../lake/convert/data-file-faults.ts'
import { columnNames } from '../../lake/file/column-names.ts'
import { type FooterOfFile, readFooterOf } from '../../lake/file/read-footer.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import { obtainEmptyShard, obtainShard } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { readPieces } from './dump-digest.ts'
import { folderOf } from './dump-key.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpPiece } from './format/dump-index.ts'

const MAGIC_BYTES = 4
const BUFFER_BYTES = 512 * 1024

/** A file whose row groups can be copied under a footer that shows the table's columns. */
interface Copied {
  readonly location: string
  readonly footer: ParquetFooter
  readonly identity: FooterOfFile['identity']
  readonly schema: StitchSchema
  readonly key: string
}

/** A data file, and its row groups where they can be copied. */
interface Part {
  readonly source: DumpSource
  readonly copied: Copied | undefined
}

/**
 * One valid Parquet file of any size: row groups of the data files, copied without decoding, under
 * one new footer. Files with deletes or another physical schema are rewritten first. The length is
 * known before the first byte.
 */
export async function buildParquet(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
): Promise<DumpContent> {
  const parts = await copyableParts(deps, build)
  build.signal.throwIfAborted()
  const plan = planStitch(parts.map(({ footer, schema }): StitchPart => ({ footer, schema })))
  const pieces = await piecesOf(deps, build, { parts, plan })
  for (const piece of pieces) build.progress.add(piece)
  try {
    return { sha256: await hashCopied(deps, build, pieces) }
  } catch (error) {
    throw namingMissing(error, build.sources)
  }
}

/**
 * The digest of the dump, and a checksum of what is copied from each file. Throws
 * `data-file-changed` if one was replaced since its footer was read.
 */
async function hashCopied(
  { objects }: Pick<DumpDependencies, 'objects'>,
  { record, signal }: DumpBuild,
  pieces: readonly DumpPiece[],
): Promise<string> {
  const digest = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  for (const ofFile of groupByLocation(pieces)) {
    let sum = 0
    for await (const chunk of readPieces(objects, ofFile, signal, buffer)) {
      signal.throwIfAborted()
      digest.update(chunk)
      sum = crc32(chunk, sum)
    }
    const [{ location = '' } = {}] = ofFile
    await record.addCopied(objects, location, { crc32: sum, pieces: ofFile })
  }
  return digest.digest('hex')
}

/** Neighbours of one file are together. */
function groupByLocation(pieces: readonly DumpPiece[]): readonly (readonly DumpPiece[])[] {
  const groups: DumpPiece[][] = []
  for (const piece of pieces) {
    const last = groups.at(-1)
    if (last?.[0]?.location === piece.location) last.push(piece)
    else groups.push([piece])
  }
  return groups
}

/** Names the data file, if the missing object is one: it vanished after its footer was read. */
function namingMissing(error: unknown, sources: readonly DumpSource[]): unknown {
  const location = error instanceof CatalogError ? error.facts['location'] : undefined
  const source = sources.find(({ dataFile }) => dataFile.path === location)
  return source === undefined ? error : namingDataFile(error, source.dataFile)
}

async function copyableParts(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
): Promise<readonly Copied[]> {
  const { sources } = build
  if (sources.length === 0) {
    return [await getCopyable(deps, build, (await obtainEmptyShard(deps, build)).location)]
  }
  const parts = await mapBounded(sources, INSPECTIONS_AT_ONCE, (source) =>
    inspect(deps, build, source),
  )
  const copied = parts.flatMap((part) => part.copied ?? [])
  const isUniform = new Set(copied.map(({ key }) => key)).size === 1
  if (isUniform && copied.length === parts.length) return copied

  // The engine writes every file with the same schema; files that already have it are kept.
  const odd = oddestOf(parts)
  const first = await rewrite(deps, build, odd.source)
  return mapBounded(parts, deps.converter.atOnce, async (part) => {
    if (part === odd) return first
    return part.copied?.key === first.key ? part.copied : rewrite(deps, build, part.source)
  })
}

async function inspect(
  deps: Pick<DumpDependencies, 'objects'>,
  build: DumpBuild,
  source: DumpSource,
): Promise<Part> {
  const { dataFile, deleteFiles } = source
  const isOther = dataFile.format !== 'parquet' || source.isFiltered
  if (deleteFiles.length > 0 || isOther) return { source, copied: undefined }
  try {
    const constants = partitionConstants(build.target.state.definition.partitionSpecs, dataFile)
    const { schema } = build.target
    const copied = await findCopyable(deps, build, { location: dataFile.path, schema, constants })
    if (copied === undefined) return { source, copied }
    requireRows(source, copied.footer.rowCount)
    build.record.add(copied.identity())
    return { source, copied }
  } catch (error) {
    throw namingDataFile(error, dataFile)
  }
}

/** A part that must be rewritten in any case, or else one with the rarest schema. */
function oddestOf(parts: readonly Part[]): Part {
  const counts = new Map<string | undefined, number>()
  for (const { copied } of parts) counts.set(copied?.key, (counts.get(copied?.key) ?? 0) + 1)
  const rarity = ({ copied }: Part) => (copied === undefined ? 0 : (counts.get(copied.key) ?? 0))
  return parts.reduce((oddest, part) => (rarity(part) < rarity(oddest) ? part : oddest))
}

async function rewrite(
  deps: Pick<DumpDependencies, 'converter' | 'objects' | 'warehouse'>,
  build: DumpBuild,
  source: DumpSource,
): Promise<Copied> {
  const { location } = await obtainShard(deps, build, source)
  return getCopyable(deps, build, location)
}

/** Opens the footer of a file that the engine wrote. */
async function getCopyable(
  deps: Pick<DumpDependencies, 'objects'>,
  build: DumpBuild,
  location: string,
): Promise<Copied> {
  const { schema } = build.target
  const copied = await findCopyable(deps, build, { location, schema, constants: NO_CONSTANTS })
  if (copied !== undefined) return copied
  throw new Error(`row groups of a file written by the engine cannot be copied: ${location}`)
}

/** A file, and the columns that its row groups are shown as. */
interface Shown {
  readonly location: string
  readonly schema: Schema
  readonly constants: ConstantColumns
}

/** `undefined` if the pages themselves would have to change. */
async function findCopyable(
  deps: Pick<DumpDependencies, 'objects'>,
  { target: { state } }: DumpBuild,
  { location, schema, constants }: Shown,
): Promise<Copied | undefined> {
  const { footer, identity } = await readFooterOf(deps.objects, location)
  if (stitchProblem(footer) !== undefined) return undefined
  const names = columnNames(state.definition, schema)
  const projection = projectFileSchema({ footer, schema, names, constants })
  if (projection.outcome === 'differs') return undefined
  const { schema: shown } = projection
  return { location, footer, identity, schema: shown, key: physicalSchemaKey(shown) }
}

async function piecesOf(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { target }: DumpBuild,
  { parts, plan }: { parts: readonly Copied[]; plan: StitchPlan },
): Promise<readonly DumpPiece[]> {
  const sha256 = createHash('sha256').update(plan.tail).digest('hex')
  const folder = `${folderOf(deps.warehouse, target)}/shards`
  const footerLocation = `${folder}/footer-${sha256}.parquet-footer`
  await deps.objects.putIfAbsent(footerLocation, plan.tail)
  const copied = parts.flatMap(({ location, footer }, index) =>
    (plan.ranges[index] ?? []).map(
      ({ offset, lengthBytes }, range): DumpPiece => ({
        location,
        offset,
        lengthBytes,
        rowCount: range === 0 ? footer.rowCount : 0,
      }),
    ),
  )
  const tailBytes = plan.tail.length
  const magicOffset = tailBytes - MAGIC_BYTES
  return [
    // A Parquet file begins with the four magic bytes that it also ends with.
    { location: footerLocation, offset: magicOffset, lengthBytes: MAGIC_BYTES, rowCount: 0 },
    ...copied,
    { location: footerLocation, offset: 0, lengthBytes: tailBytes, rowCount: 0, sha256 },
  ]
}
