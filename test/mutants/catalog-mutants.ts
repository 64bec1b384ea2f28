import type { MutantGroup } from './mutant.ts'

const WRITE_GROUP = ['test/catalog/sqlite/sqlite-write-group.test.ts']
const SETTINGS = ['test/catalog/sqlite/sqlite-settings.test.ts']

/** Bugs in the catalog, of both databases. */
export const CATALOG: readonly MutantGroup[] = [
  {
    file: 'src/catalog/sqlite/sqlite-settings.ts',
    tests: SETTINGS,
    edits: [
      ['synchronous = FULL', 'synchronous = OFF'],
      [`'synchronous = FULL'`, `'synchronous = NORMAL'`],
      ['journal_mode = WAL', 'journal_mode = DELETE'],
      ['foreign_keys = ON', 'foreign_keys = OFF'],
      ['cache_size = -', 'cache_size = '],
      [`busy_timeout = \${busyMs}`, 'busy_timeout = 0'],
      ['defaultSafeIntegers(true)', 'defaultSafeIntegers(false)'],
    ],
  },
  {
    file: 'src/catalog/sqlite/sqlite-write-group.ts',
    tests: WRITE_GROUP,
    edits: [
      ['      await transaction.executeQuery(ROLLBACK)\n', ''],
      [
        'executeQuery(RELEASE)\n      return () => member.reject(error)',
        'executeQuery(RELEASE)\n      throw error',
      ],
      ['      return () => member.reject(error)', '      return () => member.resolve(undefined)'],
      ['      if (!this.#isInTransaction()) throw error\n', ''],
      ['      for (const answer of answers) answer()', '      answers[0]?.()'],
      [
        '      for (const member of members) member.reject(error)',
        '      members[0]?.reject(error)',
      ],
    ],
  },
]
