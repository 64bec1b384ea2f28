import type { Stores } from '../../catalog/catalog.ts'
import type { Keep } from '../../core/replay.ts'
import type { TableDefinition, TableState } from '../../core/table/table.ts'
import { afterCommit } from '../../core/unknown-state.ts'
import { LostRace, onNewest } from '../../lake/commit/on-newest.ts'
import type { SharedTurn } from '../../lake/commit/shared-turns.ts'
import { Purge, type PurgeDependencies, type PurgeReport } from '../../lake/deletion/purge.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { markDropped } from '../../lake/table/drop-mark.ts'
import { getTable, tableNotFound } from '../../lake/table/table-lookup.ts'

export type DropDependencies = PurgeDependencies &
  Pick<LakeServices, 'catalog' | 'commits' | 'meter' | 'publisher'> & {
    readonly objects: LakeServices['objects']
  }

/** Whether files that nothing but the table names are deleted: after the grace, or now. */
export type PurgeChoice = boolean | 'now'

export interface DropReport extends PurgeReport {
  readonly state: TableState
  /** The file that brings the table back when it is registered, while files of it are there. */
  readonly metadataLocation: string | undefined
}

const NOTHING: PurgeReport = { deletedFiles: 0, scheduledFiles: 0, keptFiles: 0, holders: [] }

/** Drops the table. Its files stay; a purge deletes those that nothing else names. */
export async function dropTable(
  deps: DropDependencies,
  table: string,
  {
    purge: when,
    keep = () => ({}),
  }: { readonly purge: PurgeChoice; readonly keep?: Keep<DropReport> },
): Promise<DropReport> {
  const { tableUuid } = (await getTable(deps.catalog, table)).definition
  const purge = when === false ? undefined : new Purge(deps, when === 'now' ? 'now' : 'after-grace')
  const leavesFiles = when !== 'now'
  // Not in its turn, for which others would wait as long.
  if (leavesFiles) await publishLast(deps, tableUuid)
  const state = await deps.commits.inTurns([tableUuid], (turn) =>
    dropNewest(deps, tableUuid, { purge, keep, turn, leavesFiles }),
  )
  return afterCommit('The table was dropped', async () => {
    await markTableDropped(deps, state.definition)
    if (when === 'now') {
      for (const namer of deps.fileNamers?.() ?? []) await namer.forget(tableUuid)
    }
    const report = purge === undefined ? NOTHING : await purge.finish(state)
    return { state, metadataLocation: wayBack(state, leavesFiles), ...report }
  })
}

/** Writes the file of the newest version; without it, the table is dropped all the same. */
async function publishLast(
  { publisher, log }: Pick<DropDependencies, 'publisher' | 'log'>,
  tableUuid: string,
): Promise<void> {
  try {
    await publisher.publish(tableUuid)
  } catch (err) {
    log.warn({ err, tableUuid }, 'the last metadata file of a table was not written')
  }
}

function wayBack(state: TableState, leavesFiles: boolean): string | undefined {
  const isNewest = state.publishedVersion === state.version
  return leavesFiles && isNewest ? state.metadataLocation : undefined
}

export function markTableDropped(
  deps: Stores<'tables'> & Pick<DropDependencies, 'log' | 'objects'>,
  { tableUuid, location }: Pick<TableDefinition, 'tableUuid' | 'location'>,
): Promise<void> {
  const isBack = async () => (await deps.catalog.tables.find({ tableUuid })) !== undefined
  return markDropped(deps, { tableUuid, location }, isBack)
}

/** Drops the newest version; files of a commit that comes in between are collected, too. */
async function dropNewest(
  deps: DropDependencies,
  tableUuid: string,
  {
    purge,
    keep,
    turn,
    leavesFiles,
  }: {
    readonly purge: Purge | undefined
    readonly keep: Keep<DropReport>
    readonly turn: SharedTurn
    readonly leavesFiles: boolean
  },
): Promise<TableState> {
  let attempts = 0
  const attempt = async (): Promise<TableState | LostRace> => {
    const state = await deps.catalog.tables.find({ tableUuid })
    if (state === undefined) throw tableNotFound({ tableUuid })
    if (leavesFiles && state.publishedVersion < state.version && attempts++ === 0) {
      await publishLast(deps, tableUuid)
      return attempt()
    }
    const deletions = (await purge?.prepare(state)) ?? []
    const expected = { tableUuid, expectedVersion: state.version, deletions }
    // What a purge will have deleted is not known yet.
    const metadataLocation = wayBack(state, leavesFiles)
    const options = keep({ state, metadataLocation, ...(purge?.planned() ?? NOTHING) })
    const outcome = await deps.catalog.tables.drop(expected, options)
    if (outcome === 'not-found') throw tableNotFound({ tableUuid })
    return outcome === 'dropped' ? state : new LostRace({ tableUuid })
  }
  return onNewest(deps, attempt, { turn })
}
