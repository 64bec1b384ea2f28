import { createHash } from 'node:crypto'
import type { DumpPiece } from '../../formats/dump/dump-index.ts'
import type { ParquetFooter } from '../../formats/parquet/footer.ts'
import { planStitch, type StitchPart, type StitchPlan } from '../../formats/parquet/stitch.ts'
import { stitchProblem } from '../../formats/parquet/stitch-problem.ts'
import { projectFileSchema } from '../../formats/parquet/stitch-projection.ts'
import { physicalSchemaKey, type StitchSchema } from '../../formats/parquet/stitch-schema.ts'
import { mapBounded } from '../bounded.ts'
import { readFooterOf } from '../file-inspection.ts'
import { INSPECTIONS_AT_ONCE } from '../limits.ts'
import { convertSource, namingDataFile, tableNameMapping } from './dump-convert.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import { sha256OfPieces } from './dump-digest.ts'
import { folderOf } from './dump-key.ts'
import type { DumpSource } from './dump-sources.ts'
import type { DumpBuild, DumpContent } from './dump-text.ts'

const MAGIC_BYTES = 4

/** A file whose row groups can be copied under a footer that shows the table's columns. */
interface Copied {
  readonly location: string
  readonly footer: ParquetFooter
  readonly schema: StitchSchema
  readonly key: string
}

/**
 * One valid Parquet file of any size: row groups of the data files copied without decoding under one new footer.
 * Files with deletes or another physical schema are rewritten first. The length is known before the first byte.
 */
export async function buildParquet(deps: DumpDependencies, build: DumpBuild): Promise<DumpContent> {
  const parts = await copyableParts(deps, build)
  const plan = planStitch(parts.map(({ footer, schema }): StitchPart => ({ footer, schema })))
  const pieces = await piecesOf(deps, build, { parts, plan })
  for (const piece of pieces) build.progress.add(piece)
  return { sha256: await sha256OfPieces(deps.objects, pieces, build.signal) }
}

async function copyableParts(deps: DumpDependencies, build: DumpBuild): Promise<readonly Copied[]> {
  const { sources } = build
  const parts = await mapBounded(sources, INSPECTIONS_AT_ONCE, (source) =>
    source.deleteFiles.length > 0
      ? Promise.resolve(undefined)
      : findCopyable(deps, build, source.dataFile.path).catch((error) => {
          throw namingDataFile(error, source.dataFile)
        }),
  )
  const keys = new Set(parts.map((part) => part?.key))
  if (keys.size <= 1 && !keys.has(undefined)) return parts.filter((part) => part !== undefined)

  // The engine gives every file one shape; what has that shape already need not be rewritten.
  const odd = Math.max(0, parts.indexOf(undefined))
  const first = await rewrite(deps, build, sources[odd] as DumpSource)
  return mapBounded([...sources.entries()], deps.conversionsAtOnce, async ([index, source]) => {
    if (index === odd) return first
    const part = parts[index]
    return part?.key === first.key ? part : rewrite(deps, build, source)
  })
}

async function rewrite(
  deps: DumpDependencies,
  build: DumpBuild,
  source: DumpSource,
): Promise<Copied> {
  const { location } = await convertSource(deps, build.target, source, build.signal)
  const part = await findCopyable(deps, build, location)
  if (part === undefined)
    throw new Error(`a file that the engine wrote cannot be copied: ${location}`)
  return part
}

/** `undefined` when the pages themselves would have to change. */
async function findCopyable(
  deps: DumpDependencies,
  { target: { state, schema } }: DumpBuild,
  location: string,
): Promise<Copied | undefined> {
  const { footer } = await readFooterOf(deps.objects, location)
  if (stitchProblem(footer) !== undefined) return undefined
  const nameMapping = tableNameMapping(state.definition, schema)
  const projection = projectFileSchema({ footer, schema, nameMapping })
  if (projection.outcome === 'differs') return undefined
  return { location, footer, schema: projection.schema, key: physicalSchemaKey(projection.schema) }
}

async function piecesOf(
  deps: DumpDependencies,
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
    // A Parquet file ends with the four bytes that it begins with.
    { location: footerLocation, offset: magicOffset, lengthBytes: MAGIC_BYTES, rowCount: 0 },
    ...copied,
    { location: footerLocation, offset: 0, lengthBytes: tailBytes, rowCount: 0, sha256 },
  ]
}
