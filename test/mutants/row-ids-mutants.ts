import type { MutantGroup } from './mutant.ts'

/** Bugs by which rows would lose their ids, or share them. */
export const ROW_IDS: readonly MutantGroup[] = [
  {
    file: 'src/lake/snapshot/row-ids.ts',
    tests: ['test/lake/row-ids.test.ts'],
    edits: [
      ['BigInt(file.addedRowsCount) + BigInt', 'BigInt'],
      ['firstRowId: next }', 'firstRowId }'],
      ['    next += rows\n', ''],
      [' || file.firstRowId !== undefined', ''],
      [`file.content !== 'data' || file`, 'file.path !== undefined || file'],
      ['addedRows: next - firstRowId', 'addedRows: next'],
      ['BigInt(manifest.recordCount(i))', '1n'],
    ],
  },
  {
    file: 'src/lake/commit/commit-batch.ts',
    tests: ['test/lake/row-ids.test.ts'],
    edits: [['withTakenRowIds(named, snapshot)', 'named']],
  },
  {
    file: 'src/lake/scan/manifest-cache.ts',
    tests: ['test/lake/row-ids.test.ts'],
    edits: [['#${firstRowId}`', '`']],
  },
  {
    file: 'src/lake/snapshot/snapshot-change.ts',
    tests: ['test/lake/snapshot/snapshot-change.test.ts'],
    edits: [
      ['dataFirst(live)', 'live'],
      [`format !== 'puffin' || `, ''],
      ['return goneKeys.has', 'return removedKeys.has'],
    ],
  },
]
