-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds.

-- Files that nothing names any more, deleted after a grace. path_key: SHA-256 in base64url of the
-- path's key (core/file/location-key.ts). path: JSON. due_at_ms: when the next step may be done; of
-- a file that is deleted, when its row is. mark: of the drop that made the row.
create table file_deletions (
  path_key text collate "C" not null primary key,
  path text not null,
  table_uuid text collate "C" not null,
  mark text not null,
  reason text not null,
  state text not null check (state in ('doomed', 'unlinking', 'unlinked')),
  due_at_ms bigint not null
);

create index file_deletions_due on file_deletions (due_at_ms, path_key);

create index file_deletions_by_table on file_deletions (table_uuid, due_at_ms);

-- Tables whose known paths are hashes of their text, not of its key: until their manifests were
-- read again, they may reference any path.
create table unkeyed_paths (
  table_uuid text collate "C" not null primary key
);

insert into unkeyed_paths (table_uuid)
  select table_uuid from tables;
