import { type KeyDependencies, keyAllPaths } from '../../lake/deletion/key-paths.ts'
import { type UnlinkDependencies, unlinkDue } from '../../lake/deletion/unlinker.ts'
import type { Module } from '../module.ts'

const HOUR_MS = 3_600_000

/** Deletes the files that nothing names any more. */
export function deletionsModule(platform: UnlinkDependencies & KeyDependencies): Module {
  return {
    name: 'deletions',
    tasks: [
      {
        name: 'key known paths',
        everyMs: HOUR_MS,
        run: (signal) => keyAllPaths(platform, signal),
      },
      {
        name: 'delete unused files',
        everyMs: HOUR_MS,
        run: async (signal) => {
          await unlinkDue(platform, { signal })
        },
      },
    ],
  }
}
