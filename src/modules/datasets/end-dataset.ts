import type { Stores } from '../../catalog/catalog.ts'
import type { DatasetOutcome, DatasetRecord } from '../../catalog/dataset-store.ts'
import type { KeptWithEffect } from '../../core/replay.ts'
import { Purge, type PurgeDependencies } from '../../lake/deletion/purge.ts'
import type { Task } from '../../lake/jobs/task.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { markDropped } from '../../lake/table/drop-mark.ts'

const HOUR_MS = 3_600_000
/** So long after its end a download that began before may still read the files. */
const DOWNLOAD_MS_MAX = 24 * HOUR_MS
const DUE_AT_ONCE = 100

/** Why a dataset has failed whose job was cancelled. */
export const CANCELLED = {
  code: 'dataset-cancelled',
  detail: 'making its rows was cancelled: ask for it again if you want them',
}

export type EndDependencies = PurgeDependencies &
  Stores<'datasets' | 'tables'> &
  Pick<LakeServices, 'log'> & { readonly objects: LakeServices['objects'] }

/** Whether its rows may be read. */
export function isLiving(
  { endedAtMs, expiresAtMs }: Pick<DatasetRecord, 'endedAtMs' | 'expiresAtMs'>,
  nowMs: number,
): boolean {
  return endedAtMs === undefined && (expiresAtMs === undefined || expiresAtMs > nowMs)
}

/**
 * Drops the hidden table; files that nothing else names are deleted after the grace. Its card
 * stays. With `ifExpiredBy` only if nobody has prolonged it.
 */
export async function endDataset(
  deps: EndDependencies,
  { tableUuid }: Pick<DatasetRecord, 'tableUuid'>,
  { ifExpiredBy, keep }: { readonly ifExpiredBy?: number; readonly keep?: KeptWithEffect } = {},
): Promise<DatasetOutcome> {
  const { datasets, tables } = deps.catalog
  const state = await tables.find({ tableUuid })
  const purge = new Purge(deps, 'after-grace')
  const deletions = state === undefined ? [] : await purge.prepare(state)
  const ending = { tableUuid, nowMs: deps.ambient.nowMs(), ifExpiredBy, deletions }
  const outcome = await datasets.end(ending, keep)
  if (outcome === 'not-living' || state === undefined) return outcome
  const { location } = state.definition
  const isBack = async () => (await tables.find({ tableUuid })) !== undefined
  await markDropped(deps, { tableUuid, location }, isBack)
  await purge.finish(state)
  return outcome
}

/** Ends what has expired, once nobody can be reading it any more. */
export function endExpired(deps: EndDependencies): Task {
  return {
    name: 'end expired datasets',
    everyMs: HOUR_MS,
    run: async (signal) => {
      const beforeMs = deps.ambient.nowMs() - DOWNLOAD_MS_MAX
      for (;;) {
        const due = await deps.catalog.datasets.listDue({ beforeMs, limit: DUE_AT_ONCE })
        for (const dataset of due) {
          signal.throwIfAborted()
          await endDataset(deps, dataset, { ifExpiredBy: beforeMs })
        }
        if (due.length < DUE_AT_ONCE) return
      }
    },
  }
}
