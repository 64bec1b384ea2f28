-- What tables that were dropped without a purge referenced: whoever registers one again needs these
-- files. path_hash is that of known_paths. Rows count while leaves_files is 1.
create table dropped_paths (
  path_hash integer not null,
  table_uuid text not null,
  primary key (path_hash, table_uuid)
) strict, without rowid;

create index dropped_paths_by_table on dropped_paths (table_uuid, path_hash);

alter table last_versions add column leaves_files integer not null default 0;

-- What the tables referenced that were dropped before is not known.
delete from purged_tables;
