import { mapBounded } from '../../core/bounded.ts'
import type { DataFile, ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { liveFilesCount } from '../../core/file/data-file.ts'
import type { FileColumns } from '../../core/file/file-columns.ts'
import { bindFilter } from '../../core/filter/bind/bind-filter.ts'
import type { FilterExpression } from '../../core/filter/parse/expression.ts'
import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { compilePruner, type Pruner } from '../../core/filter/prune/pruner.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import type { Schema } from '../../core/value/type.ts'
import type { DecodedManifest, MetricName } from '../../formats/manifest/manifest-reader.ts'
import { DeleteFileIndex } from './delete-file-index.ts'
import { liveRows } from './live-rows.ts'
import type { ManifestCache } from './manifest-cache.ts'
import { matchingRows } from './matching-rows.ts'
import { type CommitPlace, inCommitOrder, placesOf } from './ordered-files.ts'

/** Manifests that one plan reads at once: a disk or a store serves several as fast as one. */
const MANIFESTS_AT_ONCE = 4
/** So many are judged one by one, instead of all of their manifest at once. */
const FEW_FILES = 64

/** One data file that may hold matching rows. */
export interface PlannedFile {
  readonly dataFile: DataFile
  readonly sequenceNumber: bigint
  readonly deleteFiles: readonly DataFile[]
}

export interface ScanCounts {
  readonly total: number
  readonly skipped: number
  readonly kept: number
}

/** Sums over the files kept. */
export interface ScanTotals {
  readonly dataFiles: number
  /** Without deleted rows; `undefined` if only reading the delete files tells. */
  readonly liveRecords: number | undefined
  /** Rows of the data files, deleted ones included. */
  readonly records: number
  readonly bytes: number
}

export interface ScanPlan {
  readonly schema: Schema
  readonly manifests: ScanCounts
  readonly files: ScanCounts
  readonly totals: ScanTotals
  /**
   * The files kept, made as they are read: a plan of a million files costs no million objects.
   * Without the metrics that are not asked for they cost less.
   */
  plannedFiles(metrics?: readonly MetricName[]): Iterable<PlannedFile>
  /** Sums over those of them that the pruner keeps, too. */
  narrowed(pruner: Pruner, turns: Turns): Promise<ScanTotals>
  /** Statistics of the files of each manifest, and which of these are kept. */
  columns(): Iterable<{ readonly files: FileColumns; readonly kept: Uint32Array }>
  /**
   * The same in the order of the table, those after a place: whoever takes the first few costs no
   * more. Without metrics.
   */
  inCommitOrder(reading?: {
    readonly after?: CommitPlace | undefined
    readonly signal?: AbortSignal | undefined
  }): AsyncIterable<PlannedFile>
  /** Places of the files of one commit, or of all, to find one of them again: in any order. */
  placesOf(
    sequenceNumber: bigint | undefined,
    signal: AbortSignal,
  ): AsyncIterable<CommitPlace & { plan(): PlannedFile }>
}

interface KeptManifest {
  readonly manifest: DecodedManifest
  readonly kept: Uint32Array
}

/**
 * The data files of a snapshot that the filter does not rule out. `filter-invalid` points at the
 * character. Throws the reason of the signal as soon as it ends, and reads no further manifest.
 */
export async function planScan(
  deps: { readonly manifests: ManifestCache },
  state: TableState,
  {
    snapshot,
    schema,
    filter,
    signal,
  }: {
    readonly snapshot: Snapshot | undefined
    readonly schema: Schema
    /** Text, or what was made of it. */
    readonly filter?: string | FilterExpression | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<ScanPlan> {
  const pruner = filter === undefined ? undefined : newPruner(state, schema, filter)
  const manifests =
    snapshot === undefined
      ? []
      : await deps.manifests.getManifestList(snapshot.manifestList, signal)
  const live = manifests.filter((file) => file.content === 'data' && liveFilesCount(file) > 0)
  const candidates = live.filter((file) => pruner?.manifestMayMatch(file) ?? true)
  const turns = new Turns(signal)
  const judged = await mapBounded(candidates, MANIFESTS_AT_ONCE, async (file) => {
    const manifest = await deps.manifests.getManifest(file, signal)
    return { manifest, kept: await matchingRows(manifest, { pruner, turns }) }
  })
  // The other manifests need not stay in memory while the answer is sent.
  const kept = judged.filter((each) => each.kept.length > 0)
  const deletes = await loadDeletes(deps, state, { manifests, signal })
  const totals = await totalsOf(kept, deletes, turns)
  return assemble({ schema, live, candidates, kept, deletes, totals })
}

/** Sums over those files of a plan that another filter does not rule out either. */
export async function narrowedTotals(
  plan: Pick<ScanPlan, 'narrowed'>,
  state: TableState,
  {
    schema,
    filter,
    signal,
  }: {
    readonly schema: Schema
    readonly filter: FilterExpression
    readonly signal: AbortSignal
  },
): Promise<ScanTotals> {
  return await plan.narrowed(newPruner(state, schema, filter), new Turns(signal))
}

function newPruner(state: TableState, schema: Schema, filter: string | FilterExpression): Pruner {
  const specs = state.definition.partitionSpecs
  const expression = typeof filter === 'string' ? parseFilter(filter) : filter
  return compilePruner({ filter: bindFilter(expression, schema), specs })
}

function loadDeletes(
  deps: { readonly manifests: ManifestCache },
  { definition }: TableState,
  {
    manifests,
    signal,
  }: { readonly manifests: readonly ManifestFile[]; readonly signal: AbortSignal | undefined },
): Promise<DeleteFileIndex> {
  const unpartitioned = definition.partitionSpecs.filter((spec) =>
    spec.fields.every((field) => field.transform.kind === 'void'),
  )
  return DeleteFileIndex.load(manifests, {
    cache: deps.manifests,
    unpartitionedSpecIds: new Set(unpartitioned.map((spec) => spec.specId)),
    signal,
  })
}

function assemble({
  schema,
  live,
  candidates,
  kept,
  deletes,
  totals,
}: {
  readonly schema: Schema
  readonly live: readonly ManifestFile[]
  readonly candidates: readonly ManifestFile[]
  readonly kept: readonly KeptManifest[]
  readonly deletes: DeleteFileIndex
  readonly totals: ScanTotals
}): ScanPlan {
  const filesTotal = live.reduce((sum, file) => sum + liveFilesCount(file), 0)
  return {
    schema,
    manifests: countsOf(live.length, candidates.length),
    files: countsOf(filesTotal, totals.dataFiles),
    totals,
    plannedFiles: (metrics) => eachPlannedFile(kept, deletes, metrics),
    narrowed: async (pruner, turns) => totalsOf(await narrow(kept, pruner, turns), deletes, turns),
    columns: () => kept.map(({ manifest, kept: rows }) => ({ files: manifest.files, kept: rows })),
    inCommitOrder: ({ after, signal } = {}) =>
      eachInCommitOrder(kept, deletes, { after, turns: new Turns(signal) }),
    placesOf: (sequenceNumber, signal) =>
      eachPlace(kept, deletes, { of: sequenceNumber, turns: new Turns(signal) }),
  }
}

async function narrow(
  kept: readonly KeptManifest[],
  pruner: Pruner,
  turns: Turns,
): Promise<readonly KeptManifest[]> {
  const left: KeptManifest[] = []
  for (const { manifest, kept: rows } of kept) {
    const turn = turns.take()
    if (turn !== undefined) await turn
    if (rows.length <= FEW_FILES) {
      const few = rows.filter((row) => pruner.fileMayMatch(manifest.statistics(row)))
      left.push({ manifest, kept: few })
      continue
    }
    const isKept = new Uint8Array(manifest.entryCount)
    for (const row of rows) isKept[row] = 1
    const isInScan = (row: number) => isKept[row] === 1
    left.push({ manifest, kept: await matchingRows(manifest, { pruner, isInScan, turns }) })
  }
  return left
}

async function totalsOf(
  kept: readonly KeptManifest[],
  deletes: DeleteFileIndex,
  turns: Turns,
): Promise<ScanTotals> {
  let dataFiles = 0
  let records = 0
  let bytes = 0
  for (const { manifest, kept: indexes } of kept) {
    const turn = turns.take()
    if (turn !== undefined) await turn
    dataFiles += indexes.length
    for (const i of indexes) {
      records += manifest.recordCount(i)
      bytes += manifest.fileSizeBytes(i)
    }
  }
  const liveRecords = deletes.isEmpty ? records : await countLive(kept, deletes, turns)
  return { dataFiles, liveRecords, records, bytes }
}

async function countLive(
  kept: readonly KeptManifest[],
  deletes: DeleteFileIndex,
  turns: Turns,
): Promise<number | undefined> {
  let live = 0
  for (const { manifest, kept: indexes } of kept) {
    for (const i of indexes) {
      const turn = turns.take()
      if (turn !== undefined) await turn
      const { dataFile, sequenceNumber } = manifest.entry(i, [])
      const rows = liveRows(dataFile, deletes.findFor(dataFile, sequenceNumber ?? 0n))
      if (rows === undefined) return undefined
      live += rows
    }
  }
  return live
}

function countsOf(total: number, kept: number): ScanCounts {
  return { total, skipped: total - kept, kept }
}

function* eachPlannedFile(
  kept: readonly KeptManifest[],
  deletes: DeleteFileIndex,
  metrics?: readonly MetricName[],
): Iterable<PlannedFile> {
  for (const { manifest, kept: indexes } of kept) {
    for (const i of indexes) yield plannedFile(manifest.entry(i, metrics), deletes)
  }
}

async function* eachInCommitOrder(
  kept: readonly KeptManifest[],
  deletes: DeleteFileIndex,
  reading: Parameters<typeof inCommitOrder>[1],
): AsyncGenerator<PlannedFile> {
  for await (const { manifest, index } of inCommitOrder(kept, reading)) {
    yield plannedFile(manifest.entry(index, []), deletes)
  }
}

async function* eachPlace(
  kept: readonly KeptManifest[],
  deletes: DeleteFileIndex,
  reading: Parameters<typeof placesOf>[1],
): AsyncGenerator<CommitPlace & { plan(): PlannedFile }> {
  for await (const { manifest, index, ...place } of placesOf(kept, reading)) {
    yield { ...place, plan: () => plannedFile(manifest.entry(index, []), deletes) }
  }
}

function plannedFile(
  { dataFile, sequenceNumber: known }: ManifestEntry,
  deletes: DeleteFileIndex,
): PlannedFile {
  const sequenceNumber = known ?? 0n
  const deleteFiles = deletes.isEmpty ? [] : deletes.findFor(dataFile, sequenceNumber)
  return { dataFile, sequenceNumber, deleteFiles }
}
