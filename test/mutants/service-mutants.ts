import type { MutantGroup } from './mutant.ts'

const LOST_LEASE = ['test/modules/dumps/lost-lease.test.ts']

/** Bugs in HTTP and in the capabilities. */
export const SERVICE: readonly MutantGroup[] = [
  {
    file: 'src/modules/iceberg-rest/page.ts',
    tests: ['test/modules/iceberg-rest/pages.test.ts'],
    edits: [
      ['    if (found.length < PAGE_SIZE_MAX) return items\n', '    return items\n'],
      ['if (found.length < PAGE_SIZE_MAX)', 'if (found.length <= PAGE_SIZE_MAX)'],
      ['Math.min(pageSize, PAGE_SIZE_MAX)', 'pageSize'],
      ['listing.list(after, size + 1)', 'listing.list(after, size)'],
      ['const PAGE_SIZE_DEFAULT = 100', 'const PAGE_SIZE_DEFAULT = 1_000'],
    ],
  },
  {
    file: 'src/http/idempotency/keeper.ts',
    tests: ['test/http/idempotency/kept-answers.test.ts'],
    edits: [
      ['const LIFETIME_MS = 3600 * 1000', 'const LIFETIME_MS = 300 * 1000'],
      ['nowMs + LIFETIME_MS + GRACE_MS', 'nowMs + GRACE_MS'],
      ['nowMs + LIFETIME_MS + GRACE_MS', 'nowMs + 24 * LIFETIME_MS'],
      [`'PT1H'`, `'PT2H'`],
    ],
  },
  {
    file: 'src/modules/dumps/dumps.ts',
    tests: LOST_LEASE,
    edits: [['    await lease.confirm()\n', '']],
  },
  {
    file: 'src/modules/dumps/dump-sweep.ts',
    tests: LOST_LEASE,
    edits: [['  await lease.confirm()\n', '']],
  },
  {
    file: 'src/modules/dumps/failed-dumps.ts',
    tests: LOST_LEASE,
    edits: [
      ['  await lease.confirm()\n', ''],
      ['&& !named.has(location)', ''],
    ],
  },
  {
    file: 'src/modules/dumps/failed-dumps.ts',
    tests: ['test/lake/deletion/sweeps.test.ts'],
    named: 'shards that no dump has',
    edits: [
      ['modifiedAtMs < beforeMs && !named', '!named'],
      ['    if (lease === undefined) continue\n', ''],
    ],
  },
]
