import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { INSPECTIONS_AT_ONCE } from '../../core/limits.ts'
import { partitionConstants } from '../../core/partition/partition-constants.ts'
import { type ConstantColumns, NO_CONSTANTS } from '../../core/schema/column-projection.ts'
import { isTurnDue, Turns } from '../../core/turns.ts'
import type { Schema } from '../../core/value/type.ts'
import type { ParquetFooter } from '../../formats/parquet/footer/footer.ts'
import type { StitchPlan } from '../../formats/parquet/stitch/stitch.ts'
import { planStitchInTurns } from '../../formats/parquet/stitch/stitch-in-turns.ts'
import { stitchProblemSteps } from '../../formats/parquet/stitch/stitch-problem.ts'
import { projectFileSchemaSteps } from '../../formats/parquet/stitch/stitch-projection.ts'
import { physicalSchemaKey, type StitchSchema } from '../../formats/parquet/stitch/stitch-schema.ts'
import { namingDataFile, requireRows } from '../../lake/convert/data-file-faults.ts'
import { columnNames } from '../../lake/file/column-names.ts'
import { dataFileChanged, KnownFooters } from '../../lake/file/known-footers.ts'
import { type FooterOfFile, overChunks, readFooterOf } from '../../lake/file/read-footer.ts'
import type { DumpBuild, DumpContent } from './dump-build.ts'
import { obtainEmptyShard, obtainShard } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { readPieces } from './dump-digest.ts'
import { folderOf } from './dump-key.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpPiece } from './format/dump-index.ts'

const MAGIC_BYTES = 4
const BUFFER_BYTES = 512 * 1024
/** Bytes hashed without a turn for others: half a millisecond. */
const HASHED_AT_ONCE_BYTES = 1024 * 1024

type ParquetDependencies = Pick<DumpDependencies, 'catalog' | 'converter' | 'objects' | 'warehouse'>

/** A file whose row groups can be copied under a footer that shows the table's columns. */
interface Copied {
  readonly location: string
  readonly footer: ParquetFooter
  readonly identity: FooterOfFile['identity']
  readonly schema: StitchSchema
  readonly key: string
}

/** A data file. There may be a hundred thousand: what is kept for each is small. */
interface Part {
  readonly source: DumpSource
  /** `physicalSchemaKey`, where its row groups can be copied; equal ones are one string. */
  readonly key: string | undefined
}

/** A file whose row groups are copied, without the footer that they were found with. */
interface CopiedFile {
  readonly location: string
  readonly rowCount: number
}

interface Stitch {
  readonly files: readonly CopiedFile[]
  readonly plan: StitchPlan
}

/**
 * One valid Parquet file of any size: row groups of the data files, copied without decoding, under
 * one new footer. Files with deletes or another physical schema are rewritten first. The length is
 * known before the first byte.
 */
export async function buildParquet(
  deps: ParquetDependencies,
  build: DumpBuild,
): Promise<DumpContent> {
  const turns = new Turns(build.signal)
  const stitch = await stitchOf(deps, build, turns)
  build.signal.throwIfAborted()
  const pieces = await piecesOf(deps, build, { ...stitch, turns })
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

/** Plans the dump from one reading of the files, or from a second one if some must be rewritten. */
async function stitchOf(
  deps: ParquetDependencies,
  build: DumpBuild,
  turns: Turns,
): Promise<Stitch> {
  const { sources } = build
  if (sources.length === 0) {
    const { location } = await obtainEmptyShard(deps, build)
    return planAll([location], turns, () => getCopyable(deps, build, location))
  }
  const parts: Part[] = []
  const keys = new Map<string, string>()
  const { tableUuid } = build.target.state.definition
  const footers = new KnownFooters(deps.catalog.paths, tableUuid, sources)
  const inspectAt: InspectAt = (index) =>
    inspect(build, sources[index] as DumpSource, () => footers.read(deps.objects, index))
  const stitch = await planFiles(sources, turns, async (source, index) => {
    const copied = await inspectAt(index)
    const key = copied && (keys.get(copied.key) ?? copied.key)
    if (key !== undefined) keys.set(key, key)
    parts[index] = { source, key }
    return copied
  })
  return stitch ?? stitchRewritten(deps, build, { parts, turns, inspectAt })
}

async function stitchRewritten(
  deps: ParquetDependencies,
  build: DumpBuild,
  {
    parts,
    turns,
    inspectAt,
  }: { readonly parts: readonly Part[]; readonly turns: Turns; readonly inspectAt: InspectAt },
): Promise<Stitch> {
  // The engine writes every file with the same schema; files that already have it are kept.
  const odd = oddestOf(parts)
  const oddLocation = await rewrite(deps, build, odd.source)
  const { key } = await getCopyable(deps, build, oddLocation)
  const shards = await mapBounded(parts, deps.converter.atOnce, async (part) => {
    if (part === odd) return oddLocation
    return part.key === key ? undefined : rewrite(deps, build, part.source)
  })
  return planAll(parts, turns, async ({ source }, index) => {
    const shard = shards[index]
    if (shard !== undefined) return getCopyable(deps, build, shard)
    const copied = await inspectAt(index)
    if (copied?.key !== key) throw dataFileChanged(source.dataFile.path)
    return copied
  })
}

/** `inspect` for the source at the index. */
type InspectAt = (index: number) => Promise<Copied | undefined>

type ReadFile<Item> = (item: Item, index: number) => Promise<Copied | undefined>

/** `undefined` if the files cannot share one footer. */
async function planFiles<Item>(
  items: readonly Item[],
  turns: Turns,
  read: ReadFile<Item>,
): Promise<Stitch | undefined> {
  const files: CopiedFile[] = []
  const plan = await planStitchInTurns(items, {
    atOnce: INSPECTIONS_AT_ONCE,
    turn: () => turns.take(),
    read: async (item, index) => {
      const copied = await read(item, index)
      if (copied === undefined) return undefined
      const { location, footer, schema, key } = copied
      files[index] = { location, rowCount: footer.rowCount }
      return { footer, schema, key }
    },
  })
  return plan && { files, plan }
}

async function planAll<Item>(
  items: readonly Item[],
  turns: Turns,
  read: ReadFile<Item>,
): Promise<Stitch> {
  const stitch = await planFiles(items, turns, read)
  if (stitch === undefined) throw new Error('files written by the engine have several schemas')
  return stitch
}

/** `undefined` if the file must be rewritten. */
async function inspect(
  build: DumpBuild,
  source: DumpSource,
  readFooter: () => Promise<FooterOfFile>,
): Promise<Copied | undefined> {
  const { dataFile, deleteFiles } = source
  const isOther = dataFile.format !== 'parquet' || source.isFiltered
  if (deleteFiles.length > 0 || isOther) return undefined
  try {
    const constants = partitionConstants(build.target.state.definition.partitionSpecs, dataFile)
    const { schema } = build.target
    const shown = { location: dataFile.path, schema, constants }
    const copied = await findCopyable(build, shown, await readFooter())
    if (copied === undefined) return undefined
    requireRows(source, copied.footer.rowCount)
    build.record.add(await copied.identity())
    return copied
  } catch (error) {
    throw namingDataFile(error, dataFile)
  }
}

/** A part that must be rewritten in any case, or else one with the rarest schema. */
function oddestOf(parts: readonly Part[]): Part {
  const counts = new Map<string | undefined, number>()
  for (const { key } of parts) counts.set(key, (counts.get(key) ?? 0) + 1)
  const rarity = ({ key }: Part) => (key === undefined ? 0 : (counts.get(key) ?? 0))
  return parts.reduce((oddest, part) => (rarity(part) < rarity(oddest) ? part : oddest))
}

async function rewrite(
  deps: ParquetDependencies,
  build: DumpBuild,
  source: DumpSource,
): Promise<string> {
  return (await obtainShard(deps, build, source)).location
}

/** Opens the footer of a file that the engine wrote. */
async function getCopyable(
  deps: Pick<DumpDependencies, 'objects'>,
  build: DumpBuild,
  location: string,
): Promise<Copied> {
  const { schema } = build.target
  const shown = { location, schema, constants: NO_CONSTANTS }
  const copied = await findCopyable(build, shown, await readFooterOf(deps.objects, location))
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
  { target: { state } }: DumpBuild,
  { location, schema, constants }: Shown,
  { footer, identity }: FooterOfFile,
): Promise<Copied | undefined> {
  if ((await overChunks(footer, stitchProblemSteps(footer))) !== undefined) return undefined
  const names = columnNames(state.definition, schema)
  const projecting = projectFileSchemaSteps({ footer, schema, names, constants })
  const projection = await overChunks(footer, projecting)
  if (projection.outcome === 'differs') return undefined
  const { schema: shown } = projection
  return { location, footer, identity, schema: shown, key: physicalSchemaKey(shown) }
}

async function piecesOf(
  deps: Pick<DumpDependencies, 'objects' | 'warehouse'>,
  { target }: DumpBuild,
  { files, plan, turns }: Stitch & { readonly turns: Turns },
): Promise<readonly DumpPiece[]> {
  const sha256 = await hashOf(plan.tail, turns)
  const folder = `${folderOf(deps.warehouse, target)}/shards`
  const footerLocation = `${folder}/footer-${sha256}.parquet-footer`
  await deps.objects.putIfAbsent(footerLocation, plan.tail)
  const copied: DumpPiece[] = []
  for (const [index, { location, rowCount }] of files.entries()) {
    for (const [range, { offset, lengthBytes }] of (plan.ranges[index] ?? []).entries()) {
      copied.push({ location, offset, lengthBytes, rowCount: range === 0 ? rowCount : 0 })
    }
    if (isTurnDue(index)) await turns.take()
  }
  const tailBytes = plan.tail.length
  const magicOffset = tailBytes - MAGIC_BYTES
  return [
    // A Parquet file begins with the four magic bytes that it also ends with.
    { location: footerLocation, offset: magicOffset, lengthBytes: MAGIC_BYTES, rowCount: 0 },
    ...copied,
    { location: footerLocation, offset: 0, lengthBytes: tailBytes, rowCount: 0, sha256 },
  ]
}

async function hashOf(bytes: Uint8Array, turns: Turns): Promise<string> {
  const digest = createHash('sha256')
  for (let start = 0; start < bytes.length; start += HASHED_AT_ONCE_BYTES) {
    digest.update(bytes.subarray(start, start + HASHED_AT_ONCE_BYTES))
    await turns.take()
  }
  return digest.digest('hex')
}
