-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Tables that are not there, though known paths of theirs may be: those of very many are made known
-- before the table is, and forgotten after it, some at a time. claim: of whoever is making the
-- table; null where nobody is, and the paths are to go.
create table table_leftovers (
  table_uuid text collate "C" not null primary key,
  claim text
);

-- Purges that have dropped their table, by the mark of their deletions. A deletion whose reason is a
-- purge counts only if its mark is here: those of very many files are written before the drop.
create table purges (
  table_uuid text collate "C" not null,
  mark text collate "C" not null,
  primary key (table_uuid, mark)
);

insert into purges (table_uuid, mark)
  select distinct table_uuid, mark from file_deletions where reason = 'purge';

-- In order, so that what a clone takes over is read page by page. One that was built before, without
-- a lock (concurrently), stays.
create index if not exists known_paths_in_order on known_paths (table_uuid, path_hash);

drop index known_paths_by_table;
