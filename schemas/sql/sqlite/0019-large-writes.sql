-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Tables that are not there, though known paths of theirs may be: those of very many are made known
-- before the table is, and forgotten after it, some at a time. claim: of whoever is making the
-- table; null where nobody is, and the paths are to go.
create table table_leftovers (
  table_uuid text not null primary key,
  claim text
) strict, without rowid;

-- Purges that have dropped their table, by the mark of their deletions. A deletion whose reason is a
-- purge counts only if its mark is here: those of very many files are written before the drop.
create table purges (
  table_uuid text not null,
  mark text not null,
  primary key (table_uuid, mark)
) strict, without rowid;

insert into purges (table_uuid, mark)
  select distinct table_uuid, mark from file_deletions where reason = 'purge';
