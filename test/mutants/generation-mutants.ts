import type { MutantGroup } from './mutant.ts'

const GENERATION = ['test/lake/deletion/generation.test.ts']
const PATHS = ['test/catalog/sqlite/sqlite.test.ts']

/** Bugs in telling a catalog that was put back, which lose files that were named since. */
export const OLDER_CATALOGS: readonly MutantGroup[] = [
  {
    file: 'src/lake/deletion/generation.ts',
    tests: GENERATION,
    edits: [
      ['const isOlder = marked > from', 'const isOlder = marked < from'],
      ['const to = Math.max(marked, from) + 1', 'const to = from + 1'],
      ['if (earlier.generation < generation) await', 'await'],
      ['if (!isOlder && since > from) return since', ''],
      ['|| !UNWRITABLE.has(error.code)', ''],
      ['Math.max(newest(await listMarks(place)), generation) + 1', 'generation + 1'],
    ],
  },
  {
    file: 'src/lake/deletion/unlinker.ts',
    tests: GENERATION,
    edits: [['  await beginGeneration(deps)\n', '']],
  },
  {
    file: 'src/catalog/sql/paths/sql-generation.ts',
    tests: PATHS,
    named: 'a file file deletions generations',
    edits: [
      [`          .where('value', '=', String(from))\n`, ''],
      [`    .where('state', '!=', 'unlinked')\n`, ''],
      [`    .set({ state: 'doomed' })`, `    .set({ state: 'unlinking' })`],
      [
        `('purged_tables')\n    .set({ due_at_ms: untilMs })`,
        `('purged_tables').set({ due_at_ms: 0n })`,
      ],
      ['  if (changed.length === 0) return false\n', ''],
    ],
  },
]
