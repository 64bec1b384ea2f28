import { inOrder } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import {
  INSPECTIONS_AT_ONCE,
  UPLOAD_COLUMNS_MAX,
  UPLOAD_PARTITIONS_MAX,
} from '../../core/limits.ts'
import { type PartitionTuple, partitionFolder } from '../../core/partition/partition-values.ts'
import { allFields } from '../../core/schema/schema-lookup.ts'
import {
  currentSchema,
  defaultSpec,
  type TableDefinition,
  type TableState,
} from '../../core/table/table.ts'
import type { StagedFile } from '../../core/table/transaction.ts'
import type { Schema } from '../../core/value/type.ts'
import type { SplitResult } from '../../engine/engine.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import type { PendingUploads } from '../../lake/deletion/pending-uploads.ts'
import {
  conversionsOf,
  inspectPart,
  inspectSplittable,
  type NullsChecked,
  requireShortPartition,
  type SpanningFile,
  spansPartitions,
} from '../../lake/file/inspect-file.ts'
import { asAtFolder } from '../../lake/snapshot/as-at-folder.ts'
import { deleteQuietly } from '../../lake/snapshot/orphans.ts'
import type { TextUploadDependencies } from './upload-text.ts'

export interface Receiver {
  readonly nullsChecked: NullsChecked
  readonly signal: AbortSignal | undefined
  /** Writes the body to a free location; after a failure, nothing is left there. */
  receive(state: TableState, location: string): Promise<unknown>
}

type Placing = CommitDependencies & TextUploadDependencies

/** Where an upload goes: names are free, and known before anything is written. */
interface Place {
  readonly pending: PendingUploads
  readonly incoming: string
  /** That of a file which is written from it, and takes its place. */
  readonly converted: string
  pathOf(partition: PartitionTuple, index: number): string
}

/**
 * Receives the file, then moves it to the folder of its partition, which only the footer tells.
 * Where its rows are of several, they become a file in the folder of each. After a failure, nothing
 * is left.
 */
export async function placeUpload(
  deps: Placing,
  state: TableState,
  {
    receive,
    pending,
    ...rest
  }: Receiver & { readonly createdAtMs: number; readonly pending: PendingUploads },
): Promise<readonly StagedFile[]> {
  const { definition } = state
  const received = placeOf(deps, state, { createdAtMs: rest.createdAtMs, pending })
  await receive(state, received.incoming)
  try {
    const { found, place } = await fitting(deps, definition, { received, ...rest })
    if (found.spans.some(({ reason }) => reason === 'column-absent')) {
      throw spansPartitions(found.spans)
    }
    if (found.spans.length === 0) return [await moveWhole(deps, place, found.file)]
    return await placeSplit(deps, state, { found, place, signal: rest.signal })
  } catch (error) {
    await deleteQuietly(deps, [received.incoming, received.converted])
    throw error
  }
}

/**
 * The file, or where its columns have other types than the table's and the values allow it, one
 * that is written from it with those.
 */
async function fitting(
  deps: Placing,
  definition: TableDefinition,
  {
    received: place,
    nullsChecked,
    signal,
  }: Pick<Receiver, 'nullsChecked' | 'signal'> & { readonly received: Place },
): Promise<{ readonly found: SpanningFile; readonly place: Place }> {
  const { objects } = deps
  const { incoming: location, converted } = place
  try {
    return { place, found: await inspectSplittable(objects, definition, location, nullsChecked) }
  } catch (error) {
    if (!(error instanceof CatalogError) || error.code !== 'file-schema-mismatch') throw error
  }
  const conversions = await conversionsOf(objects, definition, location)
  await deps.converter.rewrite({ definition, location, signal }, ({ path }) =>
    objects.putFileIfAbsent(converted, path),
  )
  await deleteQuietly(deps, [location])
  const { file, spans } = await inspectSplittable(objects, definition, converted, 'by-the-engine')
  const notes = [...conversions, ...(file.notes ?? [])]
  return { found: { spans, file: { ...file, notes } }, place: { ...place, incoming: converted } }
}

function placeOf(
  deps: Placing,
  { definition }: TableState,
  { createdAtMs, pending }: Pick<Place, 'pending'> & { readonly createdAtMs: number },
): Place {
  const folder = `${definition.location}/data`
  const uuid = deps.ambient.newUuid()
  // Called as uploads are, so that what a crash leaves is swept.
  const incoming = (id: string) => `${folder}/incoming/${id}.parquet`
  const spec = defaultSpec(definition)
  const schema = currentSchema(definition)
  return {
    pending,
    incoming: incoming(uuid),
    converted: incoming(deps.ambient.newUuid()),
    pathOf: (partition, index) => {
      const name = `data-${String(index).padStart(4, '0')}-${uuid}.parquet`
      const folders = [partitionFolder(spec, schema, partition), asAtFolder(createdAtMs)]
      return [folder, ...folders.filter((each) => each !== ''), name].join('/')
    },
  }
}

async function moveWhole(deps: Placing, place: Place, file: StagedFile): Promise<StagedFile> {
  const path = place.pathOf(file.dataFile.partition, 0)
  await place.pending.add([path])
  await deps.objects.moveIfAbsent(place.incoming, path)
  return { ...file, dataFile: { ...file.dataFile, path }, isUploaded: true }
}

/** What the engine cannot write, or not read exactly; as a whole the file could be kept. */
const UNSPLITTABLE: ReadonlySet<string> = new Set(['file-unsupported', 'not-implemented'])

interface Spanning {
  readonly found: SpanningFile
  readonly place: Place
  readonly signal: AbortSignal | undefined
}

async function placeSplit(
  deps: Placing,
  state: TableState,
  { found: { file, spans }, place, signal }: Spanning,
): Promise<readonly StagedFile[]> {
  const { definition } = state
  const split = {
    ...{ definition, signal, location: place.incoming },
    partitionsMax: partitionsMaxOf(currentSchema(definition)),
  }
  try {
    return await deps.converter.split(split, async (result, pathOfPart) => {
      if (result.outcome === 'single') {
        const { partition } = result
        requireShortPartition(defaultSpec(definition), partition)
        return [
          await moveWhole(deps, place, { ...file, dataFile: { ...file.dataFile, partition } }),
        ]
      }
      requireEveryRow(file, result)
      const placed = await placeParts(deps, state, { parts: result.parts, place, pathOfPart })
      await deleteQuietly(deps, [place.incoming])
      return placed
    })
  } catch (error) {
    if (!(error instanceof CatalogError) || !UNSPLITTABLE.has(error.code)) throw error
    const reason = withoutPlace(error.message, place.incoming)
    throw spansPartitions(spans, `it cannot be split here (${reason})`)
  }
}

/** Where uploads arrive is nobody's business. */
function withoutPlace(message: string, location: string): string {
  const path = location.replace(/^file:\/\//, '')
  return message.replaceAll(location, 'the file').replaceAll(path, 'the file')
}

type Split = Extract<SplitResult, { outcome: 'split' }>

async function placeParts(
  deps: Placing,
  { definition }: TableState,
  {
    parts,
    place,
    pathOfPart,
  }: {
    readonly parts: Split['parts']
    readonly place: Place
    pathOfPart(index: number): string
  },
): Promise<readonly StagedFile[]> {
  const targets = parts.map(({ partition }, index) => {
    return { partition, location: place.pathOf(partition, index), from: pathOfPart(index) }
  })
  const placed: StagedFile[] = []
  await place.pending.add(targets.map(({ location }) => location))
  try {
    const placing = inOrder(targets, INSPECTIONS_AT_ONCE, async ({ partition, location, from }) => {
      await deps.objects.putFileIfAbsent(location, from)
      return inspectPart(deps.objects, definition, location, partition)
    })
    for await (const file of placing) placed.push({ ...file, isUploaded: true })
    return placed
  } catch (error) {
    await deleteQuietly(
      deps,
      targets.map(({ location }) => location),
    )
    throw error
  }
}

function requireEveryRow({ dataFile }: StagedFile, { parts }: Split): void {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const { recordCount } = dataFile
  if (rows === recordCount) return
  throw new CatalogError(
    'file-corrupt',
    `it has ${rows} rows where its footer says ${recordCount}`,
    {
      facts: { rows, recordCount },
    },
  )
}

/** As many files as an upload to a table of this schema may become. */
function partitionsMaxOf(schema: Schema): number {
  const filesMax = Math.floor(UPLOAD_COLUMNS_MAX / allFields(schema).length)
  return Math.max(1, Math.min(UPLOAD_PARTITIONS_MAX, filesMax))
}
