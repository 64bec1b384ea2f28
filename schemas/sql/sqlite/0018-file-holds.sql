-- What reads the files of a snapshot, until it ends or is not renewed any more. name: tagged JSON.
create table file_holds (
  hold_id text not null primary key,
  table_uuid text not null,
  snapshot_id integer not null,
  manifest_list text not null,
  kind text not null,
  name text not null,
  expires_at_ms integer not null
) strict, without rowid;
