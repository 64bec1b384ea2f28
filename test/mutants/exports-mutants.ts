import type { MutantGroup } from './mutant.ts'

const TESTS = ['test/modules/exports/exports.test.ts']

/** Bugs by which an export would lose rows, double them, or tell a wrong number. */
export const EXPORTS: readonly MutantGroup[] = [
  {
    file: 'src/sources/postgres/postgres-source.ts',
    tests: TESTS,
    edits: [
      ["isPartition ? 'read committed' : 'repeatable read'", "'read committed'"],
      ["return status === 'committed' ? 'committed' : 'unknown'", "return 'unknown'"],
    ],
  },
  {
    file: 'src/sources/postgres/postgres-transaction.ts',
    tests: TESTS,
    edits: [
      ['if (counts.deleted !== copied && ', 'if (false && '],
      ['    await this.#requireOne(statement)\n', ''],
      [`if (command !== 'DELETE') {`, 'if (false) {'],
      ['    if (this.mark.isWritten) {\n', '    if (false) {\n'],
    ],
  },
  {
    file: 'src/sources/postgres/chosen-keys.ts',
    tests: ['test/modules/exports/export-modes.test.ts'],
    edits: [
      ['if (different.rows.length > 0) {', 'if (false) {'],
      [`if (Number(chosen) === rowCount && left === '0') return rowCount`, 'return rowCount ?? 0'],
    ],
  },
  {
    file: 'src/sources/postgres/detached-partition.ts',
    tests: ['test/modules/exports/export-modes.test.ts'],
    edits: [['  if (left !== undefined) return left\n', '']],
  },
  {
    file: 'src/sources/postgres/key-proof.ts',
    tests: TESTS,
    edits: [['copied.first === deleted.first && copied.second === deleted.second', 'true']],
  },
  {
    file: 'src/modules/exports/export-run.ts',
    tests: TESTS,
    edits: [
      [`if (outcome === 'committed') return`, `if (outcome === 'never') return`],
      ['    await files.addNote(note)\n', ''],
      [
        '    await transaction.rollback()\n    await files.discard(staged).catch',
        '    await files.discard(staged).catch',
      ],
      ['if (conflicts < CONFLICTS_MAX) continue', ''],
    ],
  },
  {
    file: 'src/modules/exports/archive-table.ts',
    tests: [
      'test/modules/exports/archive-to.test.ts',
      'test/modules/exports/archive-faults.test.ts',
    ],
    edits: [
      [`if (transaction?.state === 'committed') return true`, ''],
      ['if ((await catalog.paths.findRecorded(tableUuid, paths)).size > 0) return true', ''],
      ['    commitId: append.commit_id,\n', ''],
      ['if (!isSame || parquet === undefined) {', 'if (parquet === undefined) {'],
      ['if (missing === undefined) return changes', 'return changes'],
    ],
  },
  {
    file: 'src/modules/exports/table-source.ts',
    tests: ['test/modules/exports/own-tables.test.ts'],
    edits: [
      ['operand: root }, ...nulls]', 'operand: root }, ...nulls.slice(1)]'],
      ['baseSnapshotId: currentSnapshot?.snapshotId ?? null', 'baseSnapshotId: null'],
    ],
  },
  {
    file: 'src/modules/exports/csv-records.ts',
    tests: TESTS,
    edits: [['if (byte === QUOTE) isQuoted = !isQuoted', 'if (false) isQuoted = !isQuoted']],
  },
]
