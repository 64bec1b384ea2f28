import type { MutantGroup } from './mutant.ts'

const HOLDS = ['test/lake/deletion/file-holds.test.ts']

/** Bugs in what holds files while they are read. */
export const HELD_FILES: readonly MutantGroup[] = [
  {
    file: 'src/lake/deletion/file-holds.ts',
    tests: HOLDS,
    edits: [
      ['      known.readers++\n', ''],
      ['--active.readers === 0', '--active.readers >= 0'],
      ['    await this.#keep([hold])\n', ''],
      ['    if (state === undefined) throw tableNotFound({ tableUuid })\n', ''],
      [
        '    if ((await catalog.snapshots.find(tableUuid, snapshotId)) !== undefined) return\n',
        '    return\n',
      ],
      ['ambient.nowMs() + LEASE_MS', 'ambient.nowMs()'],
      ['    await this.#keep(holds)\n', ''],
      ['      await this.#leave(entered.splice(0))', '      await this.#leave(entered)'],
      ['JSON.stringify([kind, name, tableUuid, String(snapshotId), manifestList])', 'kind'],
    ],
  },
  {
    file: 'src/lake/deletion/file-use.ts',
    tests: HOLDS,
    edits: [
      ['  await addRead(deps, use, { paths, exceptTableUuid })\n', ''],
      ['    if (!mayName && (await', '    if (!mayName || (await'],
    ],
  },
  {
    file: 'src/lake/deletion/unlinker.ts',
    tests: HOLDS,
    edits: [['  if (holds.some(({ holdId }) => !examinedHoldIds.has(holdId))) return true\n', '']],
  },
]
