import Sqlite from 'better-sqlite3'
import { type CompiledQuery, Kysely, sql as rawSql, SqliteDialect } from 'kysely'
import type { AuditQuery } from '../../src/catalog/audit/audit-store.ts'
import { SqlAudit } from '../../src/catalog/sql/audit/sql-audit.ts'
import { Damage } from '../../src/catalog/sql/engine/damage.ts'
import { migrate } from '../../src/catalog/sql/engine/migrations.ts'
import type { Connection, SqlEngine } from '../../src/catalog/sql/engine/sql-engine.ts'
import type { Database } from '../../src/catalog/sql/engine/sql-schema.ts'
import { nextLogEntries, nextSnapshots, SqlSnapshots } from '../../src/catalog/sql/sql-snapshots.ts'
import { snapshotOf } from './catalog-samples.ts'

const database = new Sqlite(':memory:')
let asked: CompiledQuery[] = []
const connection: Connection = new Kysely<Database>({
  dialect: new SqliteDialect({ database }),
  log: ({ query }) => {
    asked.push(query)
  },
})

const engine: SqlEngine = {
  ...{
    name: 'sqlite',
    hasOwnClock: false,
    connection,
    contentionMsMax: 0,
    failureOf: () => 'other',
  },
  ...{ damage: new Damage(), requireInPlace: () => undefined },
  ...{ lockMigrations: async () => undefined, holdNamespaces: async () => true },
  holdPaths: async () => undefined,
  transact: (work) => connection.transaction().execute(work),
  ...{ lockFolder: async () => undefined, lockNumbering: undefined, skipLocked: rawSql`` },
  pathOrder: 'rowid',
  hasText: () => rawSql`1 = 1`,
  ...{ runTogether: async () => [], rowsOnLoopMax: Number.POSITIVE_INFINITY },
}
const snapshots = new SqlSnapshots(engine)
const audit = new SqlAudit(engine)

beforeAll(() => migrate(engine))
beforeEach(() => {
  asked = []
})
afterAll(() => connection.destroy())

function planOf({ sql, parameters }: CompiledQuery): string[] {
  const steps = database.prepare(`explain query plan ${sql}`).all(...parameters)
  return steps.map((step) => String((step as { detail: string }).detail))
}

test.each<[string, () => Promise<unknown>]>([
  ['as_at', () => snapshots.findAsAt('t', 5)],
  ['a snapshot by its id', () => snapshots.find('t', 5n)],
  ['a page of the log', () => snapshots.pageLog({ tableUuid: 't', limit: 10 })],
  [
    'a page of the log in an interval',
    () => snapshots.pageLog({ tableUuid: 't', beforeMs: 9, afterMs: 5, limit: 10 }),
  ],
  ['the first snapshots of a history', () => nextSnapshots(connection, 't', undefined)],
  ['the next snapshots of a history', () => nextSnapshots(connection, 't', snapshotOf(7n))],
  ['the first entries of the log', () => nextLogEntries(connection, 't', undefined)],
  [
    'the next entries of the log',
    () => nextLogEntries(connection, 't', { timestampMs: 5, position: 5n, snapshotId: 5n }),
  ],
])('%s neither scans nor sorts a history', async (what, ask) => {
  await ask()
  const [query, ...others] = asked
  if (query === undefined) throw new Error('nothing was asked')
  expect(others).toEqual([])
  const plan = planOf(query)
  const ofHistory = plan.filter((step) => /snapshot|\bs\b/.test(step))
  expect(ofHistory.length).toBeGreaterThan(0)
  for (const step of ofHistory) expect(step).toMatch(/^SEARCH /)
  // What a page holds may be put in order, never what the table holds.
  if (!what.startsWith('a page')) expect(plan.join('\n')).not.toContain('TEMP B-TREE')
})

test.each<[string, Omit<AuditQuery, 'limit'>, RegExp]>([
  ['all', {}, /audit_rows_in_order/],
  ['refusals', { decisions: ['denied', 'hidden', 'unauthenticated'] }, /by_decision \(decision=\?/],
  [
    'refusals before one of a page',
    { decisions: ['denied', 'hidden'], before: { timeMs: 5, position: 5n } },
    /by_decision \(decision=\? AND time_ms<\?/,
  ],
])(
  'the newest rows of the audit, %s, are read in the order of an index',
  async (_, query, index) => {
    await audit.list({ ...query, limit: 10 })
    expect(asked).toHaveLength(query.decisions?.length ?? 1)
    for (const each of asked) {
      const plan = planOf(each).join('\n')
      expect(plan).toMatch(index)
      expect(plan).not.toContain('TEMP B-TREE')
    }
  },
)

test('a scan would be found', () => {
  const scanning = connection.selectFrom('snapshots').selectAll().orderBy('manifest_list').compile()
  const plan = planOf(scanning).join('\n')
  expect(plan).toMatch(/^SCAN snapshots/)
  expect(plan).toContain('TEMP B-TREE')
})
