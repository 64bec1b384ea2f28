import type { ColumnType, Generated, GeneratedAlways, Selectable } from 'kysely'

/**
 * The tables of schemas/sql. Every integer column is a bigint in both engines: 64-bit ids stay
 * exact, and the mapping of rows says where a number is enough.
 */
export interface Database {
  namespaces: {
    namespace_key: string
    levels: string
    properties: string
    depth: bigint
    namespace_uuid: string
  }
  tables: TableRow
  table_definitions: TableDefinitionRow
  views: ViewRow
  names: { namespace_key: string; name_key: string; kind: 'table' | 'view'; uuid: string }
  snapshots: SnapshotRow
  snapshot_log: {
    table_uuid: string
    timestamp_ms: bigint
    position: bigint
    snapshot_id: bigint
  }
  publications: {
    table_uuid: string
    version: bigint
    metadata_location: string
    published_at_ms: bigint
  }
  table_locations: {
    location_key: string
    table_uuid: string
    location: string
    /** 0 or 1. */
    keeps_files: bigint
  }
  /** What dropped tables and views had. */
  last_versions: {
    uuid: string
    version: bigint
    /** 0 or 1: whether the table was dropped without a purge. */
    leaves_files: Generated<bigint>
  }
  known_paths: KnownPathRow
  /** What tables that were dropped without a purge referenced. */
  dropped_paths: KnownPathRow
  /** Tables whose `path_hash` may be that of another spelling than the key. */
  unkeyed_paths: { table_uuid: string }
  /** Tables that are not there, of which known paths may be. */
  table_leftovers: { table_uuid: string; claim: string | null }
  file_deletions: DeletionRow
  /** Those that have dropped their table. */
  purges: { table_uuid: string; mark: string }
  /** Those whose folders may have files that are to go. */
  purged_tables: { table_uuid: string; due_at_ms: bigint }
  /** Without who started it where that does not matter. */
  transactions: TransactionRow & { principal: Nullable<string> }
  transaction_tables: {
    transaction_id: string
    table_uuid: string
    position: bigint
    base_snapshot_id: bigint | null
    truncates: bigint
  }
  staged_files: {
    transaction_id: string
    table_uuid: string
    path_key: string
    position: bigint
    staged_file: string
  }
  staged_removals: { transaction_id: string; table_uuid: string; path_key: string; path: string }
  replays: {
    principal: string
    replay_key: string
    request_hash: string
    body_hash: string | null
    /** Whoever reserved the key; null once there is an answer. */
    owner: string | null
    status: bigint
    body: string
    expires_at_ms: bigint
  }
  leases: { name: string; owner: string; fencing_token: bigint; expires_at_ms: bigint }
  file_holds: {
    hold_id: string
    table_uuid: string
    snapshot_id: bigint
    manifest_list: string
    kind: string
    name: string
    expires_at_ms: bigint
  }
  events: EventColumns
  event_horizon: { forgotten: bigint }
  event_cursors: { name: string; position: bigint; fencing_token: bigint }
  jobs: JobColumns
  job_askers: { job_id: string; asker: string; is_withdrawn: bigint }
  settings: { name: string; value: string }
  grants: {
    securable: string
    principal: string
    privilege: string
    orphaned_at_ms: bigint | null
  }
  datasets: DatasetRow
  dataset_sources: { table_uuid: string; securable: string }
  table_policies: { table_uuid: string; policy: string; orphaned_at_ms: bigint | null }
  table_resources: { resource_id: string; table_uuid: string }
  roles: { role: string; created_at_ms: bigint }
  role_members: { role: string; member: string }
  access_keys: AccessKeyRow
  signing_keys: SigningKeyRow
  task_ticks: { name: string; tick_ms: bigint }
  schedules: { name: string; digest: string; next_at_ms: bigint }
  audit_rows: Omit<AuditRowColumns, 'position' | 'seal'> & {
    position: GeneratedAlways<bigint>
    seal: Nullable<bigint>
  }
  audit_seals: AuditSealColumns
  usage_days: {
    day: string
    principal: string
    namespace: string
    requests: bigint
    bytes_received: bigint
    bytes_sent: bigint
  }
  /** Made by migrations.ts. */
  moraine_migrations: { number: bigint; name: string }
}

interface KnownPathRow {
  table_uuid: string
  path_hash: bigint
  /** As `footerKey` makes it; null where nobody has read one. */
  footer: Nullable<string>
}

export interface TableRow {
  table_uuid: string
  namespace_key: string
  name_key: string
  namespace: string
  name: string
  location: string
  version: bigint
  current_snapshot_id: bigint | null
  last_sequence_number: bigint
  refs: string
  last_updated_ms: bigint
  created_at_ms: bigint
  metadata_location: string | null
  published_version: bigint
  /** Entries that the snapshot log ever had, and so the position of the next. */
  log_length: bigint
}

/** Apart from the table's row, which changes far more often. */
export interface TableDefinitionRow {
  table_uuid: string
  definition: string
}

export interface AuditSealColumns {
  seal: bigint
  hash: string
  newest_ms: bigint
  pruned_through: bigint
}

export interface AuditRowColumns {
  position: bigint
  row_id: string
  time_ms: bigint
  principal: string
  action: string
  kind: string
  subject: string
  name: string
  decision: string
  content: string
  hash: string
  seal: bigint | null
}

export interface ViewRow {
  view_uuid: string
  namespace_key: string
  name_key: string
  namespace: string
  name: string
  version: bigint
  metadata: string
  metadata_location: string
  created_at_ms: bigint
  last_updated_ms: bigint
}

export interface SnapshotRow {
  table_uuid: string
  snapshot_id: bigint
  parent_snapshot_id: bigint | null
  sequence_number: bigint
  timestamp_ms: bigint
  operation: string
  summary: string
  manifest_list: string
  schema_id: bigint
  first_row_id: bigint | null
  added_rows: bigint | null
}

export interface AccessKeyRow {
  key_id: string
  secret_hash: string
  /** As JSON, like the scopes. */
  description: string | null
  scopes: string | null
  created_by: string
  created_at_ms: bigint
  expires_at_ms: bigint | null
  revoked_at_ms: bigint | null
  last_used_at_ms: bigint | null
}

export interface DatasetRow {
  /** Its own UUID and that of its hidden table. */
  table_uuid: string
  name: string
  name_key: string
  version: bigint
  identity: string
  /** The same, until it ends. */
  living_identity: string | null
  state: string
  source_uuid: string
  source_name: string
  snapshot_id: bigint
  /** As JSON, like card, facts and problem. */
  query: string | null
  card: string
  facts: string
  problem: string | null
  created_at_ms: bigint
  created_by: string | null
  published_at_ms: bigint | null
  expires_at_ms: bigint | null
  ended_at_ms: bigint | null
  securable: string
  /** A JSON list; null: none. */
  other_securables: string | null
}

export interface SigningKeyRow {
  key_id: string
  secret: string
  created_at_ms: bigint
}

export interface DeletionRow {
  path_key: string
  /** As JSON. */
  path: string
  table_uuid: string
  mark: string
  reason: 'purge' | 'upload'
  state: 'doomed' | 'unlinking' | 'unlinked'
  due_at_ms: bigint
}

export interface TransactionRow {
  transaction_id: string
  state: string
  isolation: string
  details: string
  created_at_ms: bigint
  expires_at_ms: bigint
  ended_at_ms: bigint | null
  results: string
  /** Over all tables; also the position of the next staged file. */
  staged_file_count: bigint
  revision: bigint
}

export interface EventColumns {
  /** PostgreSQL only. */
  written: GeneratedAlways<bigint>
  /** SQLite gives it at the insert, PostgreSQL's first reader afterwards. */
  position: Generated<bigint | null>
  event_id: string
  type: string
  subject: string
  name: string
  version: bigint
  time_ms: bigint
  /** Plain JSON. */
  data: string
  principal: string | null
  request_id: string | null
  address: string | null
}

export type EventRow = Selectable<EventColumns>

type Nullable<T> = ColumnType<T | null, T | null | undefined, T | null>

export interface JobColumns {
  job_id: string
  kind: string
  unique_key: string
  state: string
  /** Plain JSON, as the three below. */
  input: string
  progress: Nullable<string>
  result: Nullable<string>
  problem: Nullable<string>
  attempts: bigint
  due_at_ms: bigint
  /** Empty while nobody has it. */
  owner: string
  fencing_token: bigint
  /** 0 or 1. */
  is_cancelled: bigint
  created_at_ms: bigint
  started_at_ms: Nullable<bigint>
  ended_at_ms: Nullable<bigint>
}

export type JobRow = Selectable<JobColumns>
