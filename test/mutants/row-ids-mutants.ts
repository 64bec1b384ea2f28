import type { MutantGroup } from './mutant.ts'

const VERSION_3 = 'test/modules/exports/own-version-3.test.ts'

/** Bugs by which rows would lose their ids, or share them. */
export const ROW_IDS: readonly MutantGroup[] = [
  {
    file: 'src/engine/worker/export/output-column.ts',
    tests: ['test/engine/duckdb.test.ts'],
    named: 'row ids',
    edits: [
      ['`${firstRowId} + row`', '`${firstRowId}`'],
      ['`coalesce(${own}, ${inherited})`', 'inherited'],
      ['return sequenceNumber?.toString()', 'return undefined'],
    ],
  },
  {
    file: 'src/lake/convert/inherited-row-ids.ts',
    tests: [VERSION_3],
    named: 'column of the name',
    edits: [[' && canHaveRowIdFields(currentSchema(definition))', '']],
  },
  {
    file: 'src/modules/exports/table-transaction.ts',
    tests: [VERSION_3],
    named: 'get their ids',
    edits: [['    if (![...live.values()].every(isSame)) return undefined\n', '']],
  },
  {
    file: 'src/lake/file/inspect-file.ts',
    tests: [VERSION_3],
    named: 'not taken from others',
    edits: [['isOwn === true && rowIdNamesInFile', 'rowIdNamesInFile']],
  },
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
