-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds. Keys are lower-case; levels of a namespace are joined by 0x1F.
-- Collation C: the order of bytes, as in SQLite, whatever the database's own collation is.
-- JSON is exact: 64-bit integers, bytes and maps are tagged (src/catalog/sql/rows/tagged-json.ts).

create table namespaces (
  namespace_key text collate "C" not null primary key,
  levels text not null
);

create table tables (
  table_uuid text collate "C" not null primary key,
  namespace_key text collate "C" not null,
  name_key text collate "C" not null,
  namespace text not null,
  name text collate "C" not null,
  location text not null,
  version bigint not null,
  definition text not null,
  current_snapshot_id bigint,
  last_sequence_number bigint not null,
  refs text not null,
  last_updated_ms bigint not null,
  created_at_ms bigint not null,
  metadata_location text,
  published_version bigint not null,
  log_length bigint not null
);

create unique index tables_by_name on tables (namespace_key, name_key);

create index tables_unpublished on tables (last_updated_ms, table_uuid)
  where published_version < version;

create table snapshots (
  table_uuid text collate "C" not null,
  snapshot_id bigint not null,
  parent_snapshot_id bigint,
  sequence_number bigint not null,
  timestamp_ms bigint not null,
  operation text collate "C" not null,
  summary text not null,
  manifest_list text not null,
  schema_id bigint not null,
  first_row_id bigint,
  added_rows bigint,
  primary key (table_uuid, snapshot_id)
);

-- The key is in the order of as_at: a lookup is one descent of the tree.
create table snapshot_log (
  table_uuid text collate "C" not null,
  timestamp_ms bigint not null,
  position bigint not null,
  snapshot_id bigint not null,
  primary key (table_uuid, timestamp_ms, position)
);

create table publications (
  table_uuid text collate "C" not null,
  version bigint not null,
  metadata_location text not null,
  published_at_ms bigint not null,
  primary key (table_uuid, version)
);

-- path_hash: the first 8 bytes of the path's SHA-256, as a signed big-endian bigint.
create table known_paths (
  table_uuid text collate "C" not null,
  path_hash bigint not null
);

create unique index known_paths_by_hash on known_paths (path_hash, table_uuid);

create index known_paths_by_table on known_paths (table_uuid);

create table transactions (
  transaction_id text collate "C" not null primary key,
  state text collate "C" not null check (state in ('open', 'committed', 'aborted')),
  isolation text collate "C" not null,
  details text not null,
  created_at_ms bigint not null,
  expires_at_ms bigint not null,
  ended_at_ms bigint,
  results text not null,
  staged_file_count bigint not null
);

create index transactions_by_end on transactions (coalesce(ended_at_ms, expires_at_ms));

create table transaction_tables (
  transaction_id text collate "C" not null,
  table_uuid text collate "C" not null,
  position bigint not null,
  base_snapshot_id bigint,
  truncates bigint not null,
  primary key (transaction_id, table_uuid)
);

-- path_key: the path's SHA-256 in base64url.
create table staged_files (
  transaction_id text collate "C" not null,
  table_uuid text collate "C" not null,
  path_key text collate "C" not null,
  position bigint not null,
  staged_file text not null,
  primary key (transaction_id, table_uuid, path_key)
);

create table staged_removals (
  transaction_id text collate "C" not null,
  table_uuid text collate "C" not null,
  path_key text collate "C" not null,
  path text not null,
  primary key (transaction_id, table_uuid, path_key)
);
