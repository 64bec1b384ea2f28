import type { Stores } from '../../catalog/catalog.ts'
import type { TableCommit } from '../../catalog/table-store.ts'
import type { RequirePaths } from '../../core/access/require-paths.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { applyTableUpdates } from '../../core/metadata/apply-table-updates.ts'
import { checkRequirements } from '../../core/metadata/table-requirement.ts'
import { snapshotIdsMentioned, type TableChange } from '../../core/metadata/table-update.ts'
import type { AnswerKeeper, KeptAnswer } from '../../core/replay.ts'
import { metadataFolder } from '../../core/table/metadata-folder.ts'
import { shownName } from '../../core/table/shown-name.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { isUnknownState, readAfter } from '../../core/unknown-state.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import { statisticsPaths } from '../../lake/deletion/named-files.ts'
import { pastDeletions } from '../../lake/deletion/past-deletions.ts'
import { requireOwnNames } from '../../lake/file/own-names.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { findAmongAll } from '../../lake/publish/table-history.ts'
import {
  makeTableFolders,
  type NewPlaceDependencies,
  requireFreeLocation,
  requireFreeMetadataFolder,
  requireNoForeignMetadata,
} from '../../lake/table/table-location.ts'
import { createByCommit } from './create-by-commit.ts'
import { NO_CONTENT, tableAnswer } from './kept-answer.ts'
import { getRestTable } from './load-table.ts'
import { requireUnused } from './removed-definitions.ts'
import {
  type CommitTableRequest,
  parseCommitTableRequest,
  parseCommitTransactionRequest,
} from './requests/table-request-json.ts'
import { requireRestName } from './rest-name.ts'
import type { RestServices } from './rest-services.ts'
import { pathsOfNewSnapshots } from './snapshots/snapshot-paths.ts'
import type { PathsCall, UseCaseCall } from './use-case-call.ts'

/** The part of a commit that concerns one table. */
interface TableRequest extends Pick<CommitTableRequest, 'requirements' | 'updates'> {
  readonly name: NamespacedName
}

/** Above this, one query for all snapshots is cheaper than one for each. */
const SINGLE_LOOKUPS_MAX = 32
const TABLES_AT_ONCE = 8

/**
 * Commits to one table (Iceberg REST specification, `CommitTableRequest`). Returns the table as the
 * commit, or a later one, left it.
 */
export async function commitTable(
  deps: RestServices,
  { name, json }: { readonly name: NamespacedName; readonly json: unknown },
  { keeper, authorize, requirePaths }: PathsCall,
): Promise<TableState> {
  const request = { ...parseCommitTableRequest(json), name: requireRestName(name) }
  await authorizeCommit(authorize, [request])
  if (isCreation(request)) return createUnlessThere(deps, request, { keeper, requirePaths })
  const { tableUuid } = (await getRestTable(deps, name)).definition
  const work = { requests: [request], tableUuids: [tableUuid], requirePaths }
  const [committed] = await commitInTurn(deps, work, [keeper, tableAnswer(tableUuid)])
  if (committed === undefined) throw new Error('a commit ended without a table')
  return committed
}

/** Commits to all tables or none (Iceberg REST specification, `CommitTransactionRequest`). */
export async function commitTransactionOfTables(
  deps: RestServices,
  json: unknown,
  { keeper, authorize, requirePaths }: PathsCall,
): Promise<void> {
  const requests = parseCommitTransactionRequest(json).map(
    ({ identifier, requirements, updates }): TableRequest => ({
      name: requireRestName(identifier),
      requirements,
      updates,
    }),
  )
  await authorizeCommit(authorize, requests)
  const [only, ...others] = requests
  if (only !== undefined && others.length === 0 && isCreation(only)) {
    await createUnlessThere(deps, only, { keeper: asEmpty(keeper), requirePaths })
    return
  }
  const states = await mapBounded(requests, TABLES_AT_ONCE, ({ name }) => getRestTable(deps, name))
  const tableUuids = states.map(({ definition }) => definition.tableUuid)
  refuseTwice(states)
  await commitInTurn(deps, { requests, tableUuids, requirePaths }, [keeper, NO_CONTENT])
}

/** A commit that asserts that there is no table creates one, which the namespace must allow. */
async function authorizeCommit(
  authorize: UseCaseCall['authorize'],
  requests: readonly TableRequest[],
): Promise<void> {
  for (const request of requests) {
    const { name } = request
    if (isCreation(request)) await authorize('create', [{ on: 'namespace', name: name.namespace }])
    else await authorize('modify', [{ on: 'table', name }])
  }
  if (requests.length === 0) await authorize('modify', [])
}

function isCreation({ requirements }: TableRequest): boolean {
  return requirements.some(({ type }) => type === 'assert-create')
}

/** Throws `commit-conflict` if there is a table of that name. */
function createUnlessThere(
  deps: RestServices,
  request: TableRequest,
  call: Pick<PathsCall, 'keeper' | 'requirePaths'>,
): Promise<TableState> {
  const attempt = async () => {
    const existing = await deps.catalog.tables.find(request.name)
    if (existing !== undefined) checkRequirements(request.requirements, existing)
    return (await createByCommit(deps, request, call)) ?? new LostRace()
  }
  return onNewest(deps, attempt, { isConflict: true })
}

function asEmpty(keeper: AnswerKeeper): AnswerKeeper {
  return {
    withEffect: () => keeper.withEffect(NO_CONTENT),
    keeping: () => () => keeper.withEffect(NO_CONTENT),
    withoutEffect: () => keeper.withoutEffect(NO_CONTENT),
  }
}

function refuseTwice(states: readonly TableState[]): void {
  const seen = new Set<string>()
  for (const state of states) {
    const { tableUuid } = state.definition
    if (seen.has(tableUuid)) {
      const detail = `Invalid transaction: table ${shownName(state)} is changed twice`
      throw new CatalogError('update-invalid', detail)
    }
    seen.add(tableUuid)
  }
}

interface Work {
  readonly requests: readonly TableRequest[]
  readonly tableUuids: readonly string[]
  readonly requirePaths: RequirePaths
}

/**
 * Takes its turn among the commits of these tables in this process. If another process commits
 * first, the requirements are checked again and the updates applied to the newer state.
 */
function commitInTurn(
  deps: RestServices,
  { requests, tableUuids, requirePaths }: Work,
  [keeper, answer]: readonly [AnswerKeeper, KeptAnswer],
): Promise<readonly TableState[]> {
  return deps.commits.inTurns(tableUuids, (turn) => {
    const attempt = async () => {
      const changes = await mapBounded(requests, TABLES_AT_ONCE, (r) => changeOf(deps, r))
      const commits = changes.filter(({ change, base }) => change.state !== base)
      if (commits.length === 0) {
        await keeper.withoutEffect(answer)
        return changes.map(({ base }) => base)
      }
      const tables = await mapBounded(commits, TABLES_AT_ONCE, (c) =>
        tableCommit(deps, c, requirePaths),
      )
      const isCommitted = await tryCommit(deps, tables, keeper.withEffect(answer))
      if (!isCommitted) return new LostRace()
      for (const table of tables) deps.publisher.committed(table)
      return changes.map(({ base, change }) => committedState(tables, base) ?? change.state)
    }
    return onNewest(deps, attempt, { turn, isConflict: true })
  })
}

function committedState(tables: readonly TableCommit[], base: TableState): TableState | undefined {
  return tables.find(({ state }) => state.definition.tableUuid === base.definition.tableUuid)?.state
}

interface Change {
  readonly base: TableState
  readonly change: TableChange
}

async function changeOf(
  deps: Stores<'snapshots' | 'tables' | 'locations'> &
    Pick<LakeServices, 'ambient' | 'manifests' | 'objects' | 'warehouse' | 'writableLocations'>,
  request: TableRequest,
): Promise<Change> {
  const base = await getRestTable(deps, request.name)
  checkRequirements(request.requirements, base)
  const existing = await snapshotsMentioned(deps, base, request)
  const change = applyTableUpdates(base, request.updates, {
    nowMs: deps.ambient.nowMs(),
    lastLoggedMs: await lastLoggedMs(deps, base, request),
    findSnapshot: (snapshotId) => existing.get(snapshotId),
  })
  await requireUnused(deps, base, change)
  return { base, change }
}

/** Looked up only where a new snapshot is not later than everything that the table knows. */
async function lastLoggedMs(
  { catalog }: Stores<'snapshots'>,
  { definition: { tableUuid }, lastUpdatedMs }: TableState,
  { updates }: TableRequest,
): Promise<number> {
  const isEarlier = updates.some((update) => {
    return update.action === 'add-snapshot' && update.snapshot.timestampMs <= lastUpdatedMs
  })
  if (!isEarlier) return lastUpdatedMs
  const [last] = await catalog.snapshots.pageLog({ tableUuid, limit: 1 })
  return last?.timestampMs ?? Number.NEGATIVE_INFINITY
}

async function snapshotsMentioned(
  { catalog }: Stores<'snapshots'>,
  { definition: { tableUuid } }: TableState,
  { updates }: TableRequest,
): Promise<ReadonlyMap<bigint, Snapshot>> {
  const ids = new Set(snapshotIdsMentioned(updates))
  const found =
    ids.size > SINGLE_LOOKUPS_MAX
      ? await findAmongAll(catalog, tableUuid, ids)
      : await Promise.all([...ids].map((id) => catalog.snapshots.find(tableUuid, id)))
  return new Map(found.filter((s) => s !== undefined).map((s) => [s.snapshotId, s]))
}

async function tableCommit(
  deps: Stores<'events' | 'locations' | 'paths' | 'snapshots'> &
    Pick<LakeServices, 'ambient' | 'manifests' | 'objects' | 'warehouse' | 'writableLocations'>,
  { base, change }: Change,
  requirePaths: RequirePaths,
): Promise<TableCommit> {
  const { definition } = change.state
  const { added, again } = await pathsOfNewSnapshots(deps, { base, change, requirePaths })
  const addedPaths = [...added, ...newStatisticsPaths(base.definition, definition)]
  await requirePaths(addedPaths)
  await requireOwnNames(deps.objects, addedPaths)
  await takePlace(deps, base.definition, { definition, addedPaths })
  return {
    expectedVersion: base.version,
    state: { ...change.state, version: base.version + 1 },
    newSnapshots: change.newSnapshots,
    newLogEntries: change.newLogEntries,
    removedSnapshotIds: change.removedSnapshotIds,
    addedPaths,
    pathsNamedAgain: again,
  }
}

/** Requires that new folders of the table are free, and makes them. */
async function takePlace(
  deps: NewPlaceDependencies,
  before: TableState['definition'],
  {
    definition,
    addedPaths,
  }: { readonly definition: TableState['definition']; readonly addedPaths: readonly string[] },
): Promise<void> {
  const isMoved = definition.location !== before.location
  const isElsewhere = metadataFolder(definition) !== metadataFolder(before)
  if (!isMoved && !isElsewhere) return
  if (isMoved) await requireFreeLocation(deps, definition, addedPaths)
  if (isElsewhere) await requireFreeMetadataFolder(deps, definition, addedPaths)
  const known = [`${before.location}/metadata`, metadataFolder(before)]
  await requireNoForeignMetadata(deps, definition, known)
  await makeTableFolders(deps, definition)
}

function newStatisticsPaths(
  before: TableState['definition'],
  after: TableState['definition'],
): readonly string[] {
  const known = new Set(statisticsPaths(before))
  return statisticsPaths(after).filter((path) => !known.has(path))
}

/** False if another commit came first. */
async function tryCommit(
  deps: Stores<'snapshots' | 'tables'> & Pick<LakeServices, 'objects'>,
  tables: readonly TableCommit[],
  options: ReturnType<AnswerKeeper['withEffect']>,
): Promise<boolean> {
  try {
    const { outcome } = await pastDeletions(deps, (rewritten) =>
      deps.catalog.tables.commit({ tables, transactions: [], rewritten }, options),
    )
    return outcome === 'committed'
  } catch (error) {
    if (!isUnknownState(error)) throw error
    if (await readAfter(error, () => isThere(deps, tables))) return true
    throw error
  }
}

/**
 * Whether the commit happened although its response was lost: then the table has a snapshot id that
 * it did not have before.
 */
async function isThere(
  { catalog }: Stores<'snapshots'>,
  tables: readonly TableCommit[],
): Promise<boolean> {
  for (const { state, newSnapshots } of tables) {
    const [snapshot] = newSnapshots
    if (snapshot === undefined) continue
    const { tableUuid } = state.definition
    return (await catalog.snapshots.find(tableUuid, snapshot.snapshotId)) !== undefined
  }
  return false
}
