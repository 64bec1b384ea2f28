import type { MutantGroup } from './mutant.ts'

const TESTS = ['test/modules/access/restricted-dumps.test.ts']
const ROWS = ['test/modules/access/restricted-rows.test.ts']

/** Bugs by which somebody would see what a policy withholds. */
export const POLICIES: readonly MutantGroup[] = [
  {
    file: 'src/engine/worker/query/table-rows.ts',
    tests: TESTS,
    edits: [
      ["condition === undefined ? '' : ` WHERE", "true ? '' : ` WHERE"],
      ['action === undefined ? value : maskSql(action, field, value)', 'value'],
    ],
  },
  {
    file: 'src/engine/worker/query/sql-job.ts',
    tests: ROWS,
    edits: [['  if (table.restriction === undefined) return rows\n', '  if (true) return rows\n']],
  },
  {
    file: 'src/lake/convert/converter.ts',
    tests: ROWS,
    edits: [
      ['described.push({ schema: readAs, restriction, ', 'described.push({ schema: readAs, '],
      ['const schema = restriction?.readAs ?? readAs', 'const schema = readAs'],
    ],
  },
  {
    file: 'src/modules/rows/query-source.ts',
    tests: ROWS,
    edits: [
      ["restriction === 'unrestricted' ? filter : undefined", 'filter'],
      ['policyOn(tableUuid, table)', 'policyOn(tableUuid)'],
      ["restriction === 'unrestricted' ? '' : restriction.text", "''"],
    ],
  },
  {
    file: 'src/modules/rows/read-rows.ts',
    tests: ROWS,
    edits: [
      [" || source.restriction !== 'unrestricted'\n", '\n'],
      [', restrictionText(source)])', '])'],
    ],
  },
  {
    file: 'src/modules/rows/column-statistics.ts',
    tests: ROWS,
    edits: [
      ['fieldId, restrictionText(source)]', 'fieldId]'],
      ["if (source.restriction !== 'unrestricted') return undefined", ''],
    ],
  },
  {
    file: 'src/modules/rows/estimate.ts',
    tests: ROWS,
    edits: [["source.restriction !== 'unrestricted'", 'false']],
  },
  {
    file: 'src/modules/rows/estimate.ts',
    tests: ['test/modules/access/withheld-charges.test.ts'],
    edits: [
      ["source.restriction === 'unrestricted')) return onRead", 'true)) return onRead'],
      ['onRead(costOfFiles(', 'void (costOfFiles('],
    ],
  },
  {
    file: 'src/modules/rows/run-query.ts',
    tests: ROWS,
    edits: [
      [' && isWhole(table)', ''],
      ['|| !tables.every(isWhole) ?', '?'],
    ],
  },
  {
    file: 'src/modules/rows/diff-routes.ts',
    tests: ROWS,
    edits: [['        if (isRestricted) throw countsWithheld(table)\n', '']],
  },
  {
    file: 'src/core/table/restriction.ts',
    tests: TESTS,
    edits: [
      ['fields: namedAs(named.fields, now.fields) }', 'fields: now.fields }'],
      ["throw invalid(column, 'is named twice')", 'continue'],
      ['.every(({ id }) => known.has(id))', '.every(() => true)'],
      ['      requireFitting(field, own)\n', ''],
      ["throw invalid(field.name, 'has two actions')", 'continue'],
      ['[rowFilter, [...actions]', '[[...actions]'],
    ],
  },
  {
    file: 'src/lake/convert/source-restriction.ts',
    tests: TESTS,
    edits: [['return { readAs: withFilterFields(readAs, restriction),', 'return { readAs,']],
  },
  {
    file: 'src/modules/dumps/dump-parquet.ts',
    tests: TESTS,
    edits: [[' || source.isFiltered\n', '\n']],
  },
  {
    file: 'src/modules/dumps/dump-job.ts',
    tests: TESTS,
    edits: [['      const policyOn = () => policy\n', '      const policyOn = () => undefined\n']],
  },
  {
    file: 'src/http/permission.ts',
    tests: TESTS,
    edits: [
      ["  if (policy === undefined) return 'unrestricted'", "  if (true) return 'unrestricted'"],
    ],
  },
  {
    file: 'src/modules/dumps/format/dump-edition.ts',
    tests: TESTS,
    edits: [["...(restriction === 'unrestricted' ? [] :", '...(true ? [] :']],
  },
  {
    file: 'src/modules/access/grant-book.ts',
    tests: TESTS,
    edits: [['policy?.except.some((name) => names.includes(name)) === true', 'false']],
  },
]
