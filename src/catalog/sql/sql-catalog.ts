import { sql } from 'kysely'
import type { Catalog } from '../catalog.ts'
import type { TurnStore } from '../turn-store.ts'
import { SqlAccessKeys } from './access/sql-access-keys.ts'
import { SqlGrants } from './access/sql-grants.ts'
import { SqlPolicies } from './access/sql-policies.ts'
import { SqlAudit } from './audit/sql-audit.ts'
import { SqlUsage } from './audit/sql-usage.ts'
import { migrate } from './engine/migrations.ts'
import { read, type SqlEngine } from './engine/sql-engine.ts'
import { SqlHolds } from './hold/sql-holds.ts'
import { SqlSchedules } from './jobs/sql-schedules.ts'
import { SqlReplays } from './mutation/sql-replays.ts'
import { SqlPaths } from './paths/sql-paths.ts'
import { keyStagedPaths } from './rows/staged-path-keys.ts'
import { SqlDatasets } from './sql-datasets.ts'
import { SqlDeletions } from './sql-deletions.ts'
import { SqlEvents } from './sql-events.ts'
import { SqlJobs } from './sql-jobs.ts'
import { SqlLeases } from './sql-leases.ts'
import { claimFoldersOfOldViews, SqlLocations } from './sql-locations.ts'
import { SqlNamespaces } from './sql-namespaces.ts'
import { SqlPublications } from './sql-publications.ts'
import { SqlSettings } from './sql-settings.ts'
import { SqlSnapshots } from './sql-snapshots.ts'
import { SqlTables } from './sql-tables.ts'
import { SqlTransactions } from './sql-transactions.ts'
import { SqlViews } from './sql-views.ts'

/** What migrations do in code with the rows of their tables. */
const FINISHES = new Map([
  [8, keyStagedPaths],
  [10, claimFoldersOfOldViews],
])

/** The catalog in a database of SQL; what differs between the engines is in `SqlEngine`. */
export function sqlCatalog(
  engine: SqlEngine,
  {
    turns,
    readClock,
    beforeClose,
  }: {
    readonly turns: TurnStore
    readonly readClock?: () => Promise<number>
    readonly beforeClose?: () => Promise<void> | void
  },
): Catalog {
  return {
    tables: new SqlTables(engine),
    snapshots: new SqlSnapshots(engine),
    transactions: new SqlTransactions(engine),
    publications: new SqlPublications(engine),
    paths: new SqlPaths(engine),
    locations: new SqlLocations(engine),
    deletions: new SqlDeletions(engine),
    namespaces: new SqlNamespaces(engine),
    views: new SqlViews(engine),
    replays: new SqlReplays(engine),
    leases: new SqlLeases(engine),
    holds: new SqlHolds(engine),
    events: new SqlEvents(engine),
    jobs: new SqlJobs(engine),
    schedules: new SqlSchedules(engine),
    turns,
    settings: new SqlSettings(engine),
    grants: new SqlGrants(engine),
    policies: new SqlPolicies(engine),
    keys: new SqlAccessKeys(engine),
    datasets: new SqlDatasets(engine),
    audit: new SqlAudit(engine),
    usage: new SqlUsage(engine),
    migrate: () => migrate(engine, FINISHES),
    ping: async () => {
      engine.damage.refuse()
      await read(engine, async (connection) => {
        engine.requireInPlace()
        await sql`select 1`.execute(connection)
      })
    },
    readClock: () => readClock?.() ?? Promise.resolve(undefined),
    close: async () => {
      await beforeClose?.()
      await engine.connection.destroy()
    },
  }
}
