import type { MutantGroup } from './mutant.ts'

const SESSION = ['test/engine/worker/session.test.ts']

/** Bugs in the engine. */
export const ENGINE: readonly MutantGroup[] = [
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
]
