import type { AuditStore } from './audit/audit-store.ts'
import type { UsageStore } from './audit/usage-store.ts'
import type { DatasetStore } from './dataset-store.ts'
import type { DeletionStore } from './deletion-store.ts'
import type { EventStore } from './event-store.ts'
import type { GrantStore } from './grant-store.ts'
import type { HoldStore } from './hold/hold-store.ts'
import type { JobStore, ScheduleStore } from './job-store.ts'
import type { KeyStore } from './key-store.ts'
import type { LeaseStore } from './lease-store.ts'
import type { LocationStore } from './location-store.ts'
import type { NamespaceStore } from './namespace-store.ts'
import type { PathStore } from './path-store.ts'
import type { PolicyStore } from './policy-store.ts'
import type { PublicationStore } from './publication-store.ts'
import type { ReplayStore } from './replay-store.ts'
import type { SettingStore } from './setting-store.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { TableStore } from './table-store.ts'
import type { TransactionStore } from './transaction-store.ts'
import type { TurnStore } from './turn-store.ts'
import type { ViewStore } from './view-store.ts'

/**
 * Where the truth is: small stores over one database. Who uses one or two of them asks for these
 * alone (`Stores<'tables' | 'snapshots'>`). Every adapter passes
 * test/catalog/catalog.contract.ts.
 */
export interface Catalog {
  readonly tables: TableStore
  readonly snapshots: SnapshotStore
  readonly transactions: TransactionStore
  readonly publications: PublicationStore
  readonly paths: PathStore
  readonly locations: LocationStore
  readonly deletions: DeletionStore
  readonly namespaces: NamespaceStore
  readonly views: ViewStore
  readonly replays: ReplayStore
  readonly leases: LeaseStore
  readonly holds: HoldStore
  readonly events: EventStore
  readonly jobs: JobStore
  readonly schedules: ScheduleStore
  readonly turns: TurnStore
  readonly settings: SettingStore
  readonly grants: GrantStore
  readonly policies: PolicyStore
  readonly keys: KeyStore
  readonly datasets: DatasetStore
  readonly audit: AuditStore
  readonly usage: UsageStore

  /**
   * Brings the schema up to date; two processes may call it at once. Returns what an operator
   * should know of what was found, each in a line.
   */
  migrate(): Promise<readonly string[]>
  /** A cheap round trip; throws when the database is out of reach. */
  ping(): Promise<void>
  /** The database's own clock, epoch milliseconds; `undefined` if it has that of this computer. */
  readClock(): Promise<number | undefined>
  close(): Promise<void>
}

/**
 * The part of the catalog that somebody uses, as a dependency: `Stores<'tables' | 'snapshots'>`.
 */
export interface Stores<N extends keyof Catalog> {
  readonly catalog: Pick<Catalog, N>
}
