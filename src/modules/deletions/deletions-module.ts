import { type KeyDependencies, keyAllPaths } from '../../lake/deletion/key-paths.ts'
import { type SweepPurgedDependencies, sweepPurged } from '../../lake/deletion/sweep-purged.ts'
import { type SweepDependencies, sweepUnfinished } from '../../lake/deletion/sweep-unfinished.ts'
import { type UnlinkDependencies, unlinkDue } from '../../lake/deletion/unlinker.ts'
import {
  deleteAllOldMetadata,
  type OldMetadataDependencies,
} from '../../lake/publish/old-metadata.ts'
import type { Module } from '../module.ts'

const HOUR_MS = 3_600_000
/** A drop that is under way has come by then. */
const VOID_MS = 24 * HOUR_MS

/** Deletes the files that nothing names any more, and what was never finished. */
export function deletionsModule(
  platform: UnlinkDependencies &
    KeyDependencies &
    SweepDependencies &
    SweepPurgedDependencies &
    OldMetadataDependencies,
): Module {
  return {
    name: 'deletions',
    tasks: [
      {
        name: 'key known paths',
        everyMs: HOUR_MS,
        run: async (signal) => {
          const keyed = await keyAllPaths(platform, signal)
          // Nothing was deleted until then.
          if (keyed > 0) await deleteAllOldMetadata(platform, signal)
        },
      },
      {
        name: 'delete unused files',
        everyMs: HOUR_MS,
        run: async (signal) => {
          await unlinkDue(platform, { signal })
        },
      },
      {
        name: 'forget what large tables left in the catalog',
        everyMs: HOUR_MS,
        run: async () => {
          await platform.catalog.paths.forgetLeftovers()
          await platform.catalog.deletions.forgetVoid(platform.ambient.nowMs() - VOID_MS)
        },
      },
      {
        name: 'delete unfinished files',
        everyMs: HOUR_MS,
        run: (signal) => sweepUnfinished(platform, signal),
      },
      {
        name: 'look through folders of purged tables',
        everyMs: HOUR_MS,
        run: (signal) => sweepPurged(platform, signal),
      },
    ],
  }
}
