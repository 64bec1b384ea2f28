import type { MutantGroup } from './mutant.ts'

const WRITE_GROUP = ['test/catalog/sqlite/sqlite-write-group.test.ts']
const SETTINGS = ['test/catalog/sqlite/sqlite-settings.test.ts']

/** Whose a folder is, and what is remembered of tables that are gone. */
const LOCATIONS: MutantGroup['edits'] = [
  ['  if (last !== undefined && version <= last) throw new Refusal(refused)\n', ''],
  ['version <= last', 'version < last'],
  [`.onConflict((conflict) => conflict.column('uuid').doUpdateSet(ended))`, ''],
  [`conflict.column('uuid').doUpdateSet(ended)`, `conflict.column('uuid').doNothing()`],
  ['  if (keepsFiles) await markKeepsFiles(transaction, uuid, true)\n', ''],
  ['  await markKeepsFiles(transaction, uuid, false)\n', ''],
  ['if (taken !== undefined) throw locationTaken(', 'if (false) throw locationTaken('],
  [
    `  if ((await findTableVersion(transaction, tableUuid)) !== undefined) return 'table-lives'\n`,
    '',
  ],
  [`'in', [...keysAbove(key), key]`, `'in', [key]`],
  [`'in', [...keysAbove(key), key]`, `'in', keysAbove(key)`],
  ['row.living_uuid === null && row.view_uuid === null', 'row.living_uuid === null'],
  ['keepsFiles: row.keeps_files === 1n', 'keepsFiles: false'],
]

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
  {
    file: 'src/catalog/sql/hold/unchanged.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'clock',
    edits: [
      ['seen?.value === value', 'seen !== undefined'],
      ['askedAtMs - seen.sinceMs > forMs', 'true'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-jobs.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'clock',
    edits: [
      ['`${due_at_ms} ${fencing_token}`', `''`],
      ['sql`and job_id not in (${sql.join(exceptJobIds)})`', 'sql``'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-leases.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'leases?|token|renew|holder|who (renews|lost|ever)|whoever looks|whoever acquires',
    edits: [
      [`where('leases.expires_at_ms', '<=', BigInt(nowMs))`, `where.val(true)`],
      [`where('leases.expires_at_ms', '=', left?.expires_at_ms ?? 0n)`, `where.val(false)`],
      ['held?.isLeft === false', 'held !== undefined'],
      ['row.expires_at_ms <= BigInt(nowMs + AHEAD_MS_MAX)', 'true'],
      [`'leases.expires_at_ms', '<='`, `'leases.expires_at_ms', '<'`],
      [
        `fencing_token: row('leases.fencing_token', '+', 1n)`,
        `fencing_token: row.ref('leases.fencing_token')`,
      ],
      [
        `        .where('owner', '=', owner)\n        .where('fencing_token', '=', fencingToken)\n`,
        '',
      ],
      [`, owner: '' }`, ' }'],
      [`        .where('fencing_token', '<', before)\n`, ''],
      [`.where('expires_at_ms', '>', BigInt(nowMs))`, ''],
      ['lease.nowMs + lease.durationMs', 'lease.nowMs'],
      ['fencing_token: BigInt(nowMs),', 'fencing_token: 1n,'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-commit.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'commit|overtaken|table that moves',
    edits: [
      [`\n        and transactions.revision = cast(ends.column4 as bigint)`, ''],
      [` and transactions.state = 'open'`, ''],
      [`    .where('version', '=', param('expectedVersion'))\n`, ''],
      [`    .where('version', '=', BigInt(expectedVersion))\n`, ''],
      [
        `    if (await insertReplay(transaction, replay)) continue\n`,
        `    await insertReplay(transaction, replay)\n    continue\n`,
      ],
      [`    .set((row) => ({ log_length: row('log_length', '+', param('newEntries')) }))\n`, ''],
      ['  if (done.length === wanted.length) return\n', '  return\n'],
      [`    raised.raise(tableCommitted(table, commit, before))\n`, ''],
      [`  for (const table of tables) await forgetSnapshots(transaction, table)\n`, ''],
      [`    await engine.runTogether(sqlTransaction, stagingDeletes(sqlTransaction, ids))\n`, ''],
      ['if (updated !== undefined && !isSame) {', 'if (false) {'],
      [`  await claimNewLocation(transaction, table, context)\n`, ''],
    ],
  },
  {
    file: 'src/catalog/sql/sql-leases.ts',
    tests: ['test/catalog/postgres/postgres.test.ts'],
    named: 'lease',
    edits: [
      [`where('leases.expires_at_ms', '<=', BigInt(nowMs))`, `where.val(true)`],
      [`        .where('fencing_token', '=', fencingToken)\n`, ''],
    ],
  },
  ...['sqlite/sqlite', 'postgres/postgres'].map((database) => ({
    file: 'src/catalog/sql/sql-locations.ts',
    tests: [`test/catalog/${database}.test.ts`],
    named: '(a file|SQL) locations|created at once within|location is given up',
    edits: LOCATIONS,
  })),
  ...['sqlite/sqlite', 'postgres/postgres'].map((database) => ({
    file: 'src/catalog/sql/sql-commit.ts',
    tests: [`test/catalog/${database}.test.ts`],
    named: 'overtaken',
    edits: [
      [
        `    .where('version', '=', param('expectedVersion'))\n    .where('namespace'`,
        `    .where('namespace'`,
      ],
    ] as const,
  })),
  {
    file: 'src/catalog/sql/find/find-table.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'definition of that version|another table of its name',
    edits: [
      [`              eb('t.version', '=', param('sparedVersion')),\n`, ''],
      [`              eb('t.table_uuid', '=', param('sparedUuid')),\n`, ''],
    ],
  },
  {
    file: 'src/catalog/sql/sql-creations.ts',
    tests: ['test/catalog/sqlite/sqlite.test.ts'],
    named: 'comes back has a version',
    edits: [
      [
        '  await beginLife(transaction, { uuid: tableUuid, version: state.version }',
        '  void ({ uuid: tableUuid, version: state.version }',
      ],
    ],
  },
  {
    file: 'src/catalog/sql/sql-drops.ts',
    tests: ['test/modules/iceberg-rest/http/second-lives.test.ts'],
    edits: [
      ['  await endLife(transaction, ended)', '  void ended'],
      ['version: expectedVersion, keepsFiles: keeps', 'version: 0, keepsFiles: keeps'],
    ],
  },
  {
    file: 'src/catalog/sql/sql-views.ts',
    tests: ['test/modules/iceberg-rest/http/second-lives.test.ts'],
    named: 'a view',
    edits: [['  await endLife(transaction, ended)\n', '']],
  },
]
