-- What reads the files of a snapshot, until it ends or is not renewed any more. name: tagged JSON.
create table file_holds (
  hold_id text collate "C" not null primary key,
  table_uuid text collate "C" not null,
  snapshot_id bigint not null,
  manifest_list text not null,
  kind text not null,
  name text not null,
  expires_at_ms bigint not null
);
