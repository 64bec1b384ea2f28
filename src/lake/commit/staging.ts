import type { Stores } from '../../catalog/catalog.ts'
import type { MutationOptions } from '../../catalog/replay-store.ts'
import type { StageOutcome, Staging } from '../../catalog/transaction-store.ts'
import type { RequirePaths } from '../../core/access/require-paths.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestEntry } from '../../core/file/data-file.ts'
import { locationKey } from '../../core/file/location-key.ts'
import { FILES_PER_TRANSACTION_MAX, INSPECTIONS_AT_ONCE } from '../../core/limits.ts'
import type { Keep } from '../../core/replay.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { StagedChange, StagedFile } from '../../core/table/transaction.ts'
import { Turns } from '../../core/turns.ts'
import { pastDeletions } from '../deletion/past-deletions.ts'
import { dataFileLocation } from '../file/data-file-location.ts'
import { inspectFile, inspectForLater } from '../file/inspect-file.ts'
import { findLiveEntries } from '../snapshot/snapshot-change.ts'
import { getTable } from '../table/table-lookup.ts'
import { getWritableTable } from '../table/writable-table.ts'
import type { CommitServices } from './commit-dependencies.ts'
import { getOpenTransaction } from './transaction-state.ts'

/**
 * Throws where the table, by its UUID, may not be changed by whoever asks. The name may have become
 * another table's, and the right may be gone, since the request began: its body takes its time.
 */
export type Permit = (tableUuid: string) => Promise<void>

/** What was staged, for the answer. */
export interface StagedReport {
  readonly state: TableState
  readonly files: readonly StagedFile[]
}

/**
 * Reads the footers and stages the files for the table. All or none: the first file that is refused
 * is named.
 */
export async function stageFiles(
  deps: Stores<'paths' | 'tables' | 'transactions'> &
    Pick<CommitServices, 'ambient' | 'manifests' | 'meter' | 'objects'>,
  request: GivenPaths & {
    readonly table: string
    readonly transactionId: string
    readonly permit?: Permit | undefined
    readonly keep?: Keep<StagedReport> | undefined
  },
): Promise<StagedReport> {
  await getOpenTransaction(deps, request.transactionId)
  const state = await getPermitted(deps, request)
  const files = await inspectFiles(deps, state, request, inspectForLater)
  const report = { state, files }
  const { transactionId, keep } = request
  await stageInspected(deps, state, { transactionId, files, options: keep?.(report) })
  return report
}

/** The table of that name, if it may be changed now. */
export async function getPermitted(
  { catalog }: Stores<'tables'>,
  { table, permit }: { readonly table: string; readonly permit?: Permit | undefined },
): Promise<TableState> {
  const state = await getWritableTable(catalog, table)
  await permit?.(state.definition.tableUuid)
  return state
}

/** Stages files whose footers were read. All or none. */
export async function stageInspected(
  deps: Stores<'paths' | 'transactions'> &
    Pick<CommitServices, 'ambient' | 'manifests' | 'meter' | 'objects'>,
  state: TableState,
  {
    transactionId,
    files,
    options = {},
  }: {
    readonly transactionId: string
    readonly files: readonly StagedFile[]
    readonly options?: MutationOptions | undefined
  },
): Promise<void> {
  await refuseLiveFiles(deps, state, {
    files,
    findChange: async () => {
      const changes = await deps.catalog.transactions.listStaged(transactionId)
      return changes.find((change) => change.tableUuid === state.definition.tableUuid)
    },
  })
  await stage(deps, state, { transactionId, addedFiles: files }, options)
  deps.meter.filesStaged(files.length)
}

/** Paths of files that a caller names. */
export interface GivenPaths {
  readonly paths: readonly string[]
  /** Asked before any of the files is looked at. */
  readonly requirePaths: RequirePaths
}

/** Footers of new files for a table, in the order given; a file given twice is refused. */
export async function inspectFiles(
  deps: Pick<CommitServices, 'objects'>,
  state: TableState,
  { paths, requirePaths }: GivenPaths,
  inspect: typeof inspectForLater = inspectFile,
): Promise<StagedFile[]> {
  const locations = paths.map(dataFileLocation)
  const seen = new Set<string>()
  for (const location of locations) {
    const key = locationKey(location)
    if (seen.has(key)) throw alreadyThere(location, 'is given twice')
    seen.add(key)
  }
  await requirePaths(locations)
  const turns = new Turns()
  return mapBounded(locations, INSPECTIONS_AT_ONCE, async (location) => {
    // Footers come faster than they are read, and would never let go of the event loop.
    if (locations.length > INSPECTIONS_AT_ONCE) await turns.take()
    return inspect(deps.objects, state.definition, location)
  })
}

export async function stageRemoval(
  deps: Stores<'paths' | 'tables' | 'transactions'> & Pick<CommitServices, 'ambient' | 'manifests'>,
  request: {
    readonly table: string
    readonly transactionId: string
    readonly paths: readonly string[]
    readonly permit?: Permit | undefined
    readonly keep?: Keep<TableState> | undefined
  },
): Promise<TableState> {
  await getOpenTransaction(deps, request.transactionId)
  const state = await getPermitted(deps, request)
  const removedPaths = await requireLive(deps, state, request.paths)
  const what = { transactionId: request.transactionId, removedPaths }
  await stage(deps, state, what, request.keep?.(state))
  return state
}

/** These files, all of which the table has now, each once and as its manifests spell it. */
export async function requireLive(
  deps: Stores<'paths'> & Pick<CommitServices, 'manifests'>,
  state: TableState,
  texts: readonly string[],
): Promise<readonly string[]> {
  const paths = texts.map(dataFileLocation)
  const live = await findLive(deps, state, paths)
  // Without a delete file, rows that it deletes would come back.
  const missing = paths.filter((path) => live.get(locationKey(path))?.dataFile.content !== 'data')
  if (missing.length === 0) return [...live.values()].map(({ dataFile }) => dataFile.path)
  throw new CatalogError('file-not-in-table', `not in the table: ${missing[0]}`, {
    facts: { paths: missing.slice(0, 20), missing: missing.length },
  })
}

export async function stageTruncation(
  deps: Stores<'tables' | 'transactions'> & Pick<CommitServices, 'ambient'>,
  request: {
    readonly table: string
    readonly transactionId: string
    readonly permit?: Permit | undefined
    readonly keep?: Keep<TableState> | undefined
  },
): Promise<TableState> {
  await getOpenTransaction(deps, request.transactionId)
  const state = await getPermitted(deps, request)
  const what = { transactionId: request.transactionId, truncate: true }
  await stage(deps, state, what, request.keep?.(state))
  return state
}

/** Marks the table as touched, so that its base snapshot is that of this moment. */
export async function touchTable(
  deps: Stores<'tables' | 'transactions'> & Pick<CommitServices, 'ambient'>,
  request: {
    readonly table: string
    readonly transactionId: string
    readonly options?: MutationOptions
  },
): Promise<TableState> {
  const state = await getTable(deps.catalog, request.table)
  await stage(deps, state, { transactionId: request.transactionId }, request.options)
  return state
}

/**
 * The live entries of these paths in the table's current snapshot, by key. Cheap for paths never
 * seen.
 */
async function findLive(
  deps: Stores<'paths'> & Pick<CommitServices, 'manifests'>,
  state: TableState,
  paths: readonly string[],
): Promise<ReadonlyMap<string, ManifestEntry>> {
  if (state.currentSnapshot === undefined || paths.length === 0) return new Map()
  const known = await deps.catalog.paths.findKnown(state.definition.tableUuid, paths)
  return findLiveAmong(deps, state, known)
}

async function findLiveAmong(
  deps: Pick<CommitServices, 'manifests'>,
  state: TableState,
  known: ReadonlySet<string>,
): Promise<ReadonlyMap<string, ManifestEntry>> {
  const snapshot = state.currentSnapshot
  if (snapshot === undefined || known.size === 0) return new Map()
  const manifests = await deps.manifests.getManifestList(snapshot.manifestList)
  return findLiveEntries(manifests, known, deps.manifests)
}

/** Files that the table has already, unless the transaction removes them. */
export async function refuseLiveFiles(
  deps: Stores<'paths'> & Pick<CommitServices, 'manifests'>,
  state: TableState,
  request: {
    readonly files: readonly StagedFile[]
    /** Which of the files the table may have had, when that was asked already. */
    readonly known?: ReadonlySet<string>
    /** What the transaction does to the table so far. Asked only when a file is there already. */
    readonly findChange: () => Promise<StagedChange | undefined>
  },
): Promise<void> {
  const paths = request.files.map((file) => file.dataFile.path)
  const { known } = request
  const live =
    known === undefined
      ? await findLive(deps, state, paths)
      : await findLiveAmong(deps, state, new Set(paths.filter((path) => known.has(path))))
  if (live.size === 0) return
  const change = await request.findChange()
  if (change?.truncate === true) return
  const removed = new Set(change?.removedPaths.map(locationKey))
  const clash = paths.find((path) => {
    const key = locationKey(path)
    return live.has(key) && !removed.has(key)
  })
  if (clash !== undefined) {
    throw alreadyThere(clash, `is in ${formatTableName(state.namespace, state.name)} already`)
  }
}

type StageWhat = Pick<Staging, 'transactionId' | 'addedFiles' | 'removedPaths' | 'truncate'>

/** `objects` is used only when files are added. */
async function stage(
  deps: Stores<'transactions'> &
    Pick<CommitServices, 'ambient'> &
    Partial<Pick<CommitServices, 'objects'>>,
  state: TableState,
  what: StageWhat,
  options: MutationOptions = {},
): Promise<void> {
  const staging = {
    ...what,
    tableUuid: state.definition.tableUuid,
    currentSnapshotId: state.currentSnapshot?.snapshotId ?? null,
    addedFilesMax: FILES_PER_TRANSACTION_MAX,
  }
  const { objects, catalog } = deps
  const staged =
    objects === undefined
      ? await catalog.transactions.stage(staging, options)
      : await pastDeletions({ objects }, (rewritten) =>
          catalog.transactions.stage({ ...staging, rewritten }, options),
        )
  if (staged.outcome !== 'staged') await refuse(deps, staged, what.transactionId)
}

async function refuse(
  deps: Stores<'transactions'> & Pick<CommitServices, 'ambient'>,
  staged: Exclude<StageOutcome, { outcome: 'staged' }>,
  transactionId: string,
): Promise<never> {
  if (staged.outcome === 'duplicate') throw alreadyThere(staged.path, 'is staged already')
  if (staged.outcome === 'too-many-files') {
    throw new CatalogError(
      'transaction-too-large',
      `a transaction adds at most ${FILES_PER_TRANSACTION_MAX} files: commit, and start another`,
      { facts: { filesMax: FILES_PER_TRANSACTION_MAX } },
    )
  }
  await getOpenTransaction(deps, transactionId)
  throw new Error(`transaction ${transactionId} is open and refuses to be staged to`)
}

function alreadyThere(path: string, how: string): CatalogError {
  return new CatalogError('file-already-in-table', `${path} ${how}`, { facts: { path } })
}
