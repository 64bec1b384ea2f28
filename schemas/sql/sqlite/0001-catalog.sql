-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds. Keys are lower-case; levels of a namespace are joined by 0x1F.
-- JSON is exact: 64-bit integers, bytes and maps are tagged (src/catalog/sql/rows/tagged-json.ts).

create table namespaces (
  namespace_key text not null primary key,
  levels text not null
) strict, without rowid;

create table tables (
  table_uuid text not null primary key,
  namespace_key text not null,
  name_key text not null,
  namespace text not null,
  name text not null,
  location text not null,
  version integer not null,
  definition text not null,
  current_snapshot_id integer,
  last_sequence_number integer not null,
  refs text not null,
  last_updated_ms integer not null,
  created_at_ms integer not null,
  metadata_location text,
  published_version integer not null,
  log_length integer not null
) strict;

create unique index tables_by_name on tables (namespace_key, name_key);

create index tables_unpublished on tables (last_updated_ms, table_uuid)
  where published_version < version;

create table snapshots (
  table_uuid text not null,
  snapshot_id integer not null,
  parent_snapshot_id integer,
  sequence_number integer not null,
  timestamp_ms integer not null,
  operation text not null,
  summary text not null,
  manifest_list text not null,
  schema_id integer not null,
  first_row_id integer,
  added_rows integer,
  primary key (table_uuid, snapshot_id)
) strict;

-- The key is in the order of as_at: a lookup is one descent of the tree.
create table snapshot_log (
  table_uuid text not null,
  timestamp_ms integer not null,
  position integer not null,
  snapshot_id integer not null,
  primary key (table_uuid, timestamp_ms, position)
) strict, without rowid;

create table publications (
  table_uuid text not null,
  version integer not null,
  metadata_location text not null,
  published_at_ms integer not null,
  primary key (table_uuid, version)
) strict, without rowid;

-- path_hash: the first 8 bytes of the path's SHA-256, as a signed big-endian integer.
create table known_paths (
  table_uuid text not null,
  path_hash integer not null
) strict;

create unique index known_paths_by_hash on known_paths (path_hash, table_uuid);

create index known_paths_by_table on known_paths (table_uuid);

create table transactions (
  transaction_id text not null primary key,
  state text not null check (state in ('open', 'committed', 'aborted')),
  isolation text not null,
  details text not null,
  created_at_ms integer not null,
  expires_at_ms integer not null,
  ended_at_ms integer,
  results text not null,
  staged_file_count integer not null
) strict;

create index transactions_by_end on transactions (coalesce(ended_at_ms, expires_at_ms));

create table transaction_tables (
  transaction_id text not null,
  table_uuid text not null,
  position integer not null,
  base_snapshot_id integer,
  truncates integer not null,
  primary key (transaction_id, table_uuid)
) strict, without rowid;

-- path_key: the path's SHA-256 in base64url.
create table staged_files (
  transaction_id text not null,
  table_uuid text not null,
  path_key text not null,
  position integer not null,
  staged_file text not null,
  primary key (transaction_id, table_uuid, path_key)
) strict;

create table staged_removals (
  transaction_id text not null,
  table_uuid text not null,
  path_key text not null,
  path text not null,
  primary key (transaction_id, table_uuid, path_key)
) strict;
