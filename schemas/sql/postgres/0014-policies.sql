-- policy: JSON. orphaned_at_ms: since when the table is known to be gone.
create table table_policies (
  table_uuid text collate "C" not null primary key,
  policy text not null,
  orphaned_at_ms bigint
);
