import type { MutantGroup } from './mutant.ts'

const TESTS = ['test/modules/access/restricted-dumps.test.ts']

/** Bugs by which somebody would see what a policy withholds. */
export const POLICIES: readonly MutantGroup[] = [
  {
    file: 'src/engine/worker/query/restricted-export.ts',
    tests: TESTS,
    edits: [
      ["filter === undefined ? '' : ` WHERE", "true ? '' : ` WHERE"],
      ['action === undefined ? value : maskSql(action, field, value)', 'value'],
    ],
  },
  {
    file: 'src/core/table/restriction.ts',
    tests: TESTS,
    edits: [
      ['fields: namedAs(named.fields, now.fields) }', 'fields: now.fields }'],
      ["throw invalid(column, 'is named twice')", 'continue'],
      ['.every(({ id }) => known.has(id))', '.every(() => true)'],
      ['    requireFitting(field, action)\n', ''],
      ['[rowFilter, [...actions]', '[[...actions]'],
    ],
  },
  {
    file: 'src/lake/convert/converter.ts',
    tests: TESTS,
    edits: [
      ["restriction === 'unrestricted' ? readAs : withFilterFields(readAs, restriction)", 'readAs'],
    ],
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
    file: 'src/modules/dumps/dump-target.ts',
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
