import type { MutantGroup } from './mutant.ts'

const POWER_LOSS = ['test/objects/power-loss/power-loss.test.ts']
const WRITE_GROUP = ['test/catalog/sqlite/sqlite-write-group.test.ts']
const SESSION = ['test/engine/worker/session.test.ts']
const SETTINGS = ['test/catalog/sqlite/sqlite-settings.test.ts']

/** Bugs in the catalog, the object store, the engine and the lake. */
export const STORES: readonly MutantGroup[] = [
  {
    file: 'src/objects/local/local-store.ts',
    tests: POWER_LOSS,
    edits: [
      ['      await handle.datasync()\n', ''],
      ['Promise.all([folder.sync(), unlink', 'Promise.all([unlink'],
      ['        await folder.sync()\n        return linked', '        return linked'],
      ['    await syncFile(path)\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-folders.ts',
    tests: POWER_LOSS,
    edits: [
      ['    await this.#handle.sync()\n', ''],
      ['      await folder.sync()\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-links.ts',
    tests: POWER_LOSS,
    edits: [
      ['  await folder.sync()\n', ''],
      ['    await handle.datasync()\n', ''],
    ],
  },
  {
    file: 'src/objects/local/local-worker.ts',
    tests: POWER_LOSS,
    edits: [
      ['    fdatasyncSync(file)\n', ''],
      ['    fsyncSync(open)\n', ''],
      [
        '    writeFully(file, bytes)\n    fdatasyncSync(file)',
        '    fdatasyncSync(file)\n    writeFully(file, bytes)',
      ],
    ],
  },
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
  {
    file: 'src/engine/worker/sql/session.ts',
    tests: SESSION,
    edits: [
      [`    'SET enable_external_access = false',\n`, ''],
      [`    'SET lock_configuration = true',\n`, ''],
      ['`SET allowed_directories = [', '`SET allowed_paths = ['],
      ['quoteConstant(folder)}]', `quoteConstant('/')}]`],
      [`[\${paths.join(', ')}]`, '[]'],
      ['quoteConstant(realpathSync(path))', 'quoteConstant(path)'],
    ],
  },
  {
    file: 'src/lake/commit/commit-batch.ts',
    tests: ['test/lake/commit/unknown-commit.test.ts'],
    edits: [
      ['if (!isUnknownState(error)) {', 'if (true) {'],
      [`    if (stored?.state === 'committed') return { outcome: 'committed' }\n`, ''],
    ],
  },
  {
    file: 'src/lake/publish/publisher.ts',
    tests: ['test/lake/publish/publication.test.ts'],
    edits: [['      await objects.delete(metadataLocation)\n', '']],
  },
  {
    file: 'src/lake/commit/commit-queue.ts',
    tests: ['test/lake/commit/commit-queue.test.ts'],
    edits: [
      ['!change.truncate && change.removedPaths.length === 0', '!change.truncate'],
      ['!change.truncate && change', 'change'],
    ],
  },
]
