-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds. Keys are lower-case; levels of a namespace are joined by 0x1F.

alter table namespaces add column properties text not null default '{}';

-- The number of levels: with it, the children of a namespace are one range of the index.
alter table namespaces add column depth integer not null default 1;

update namespaces
  set depth = 1 + length(namespace_key) - length(replace(namespace_key, char(31), ''));

create index namespaces_by_depth on namespaces (depth, namespace_key);

create table views (
  view_uuid text not null primary key,
  namespace_key text not null,
  name_key text not null,
  namespace text not null,
  name text not null,
  version integer not null,
  metadata text not null,
  metadata_location text not null,
  created_at_ms integer not null,
  last_updated_ms integer not null
) strict;

create unique index views_by_name on views (namespace_key, name_key);

-- Each name of a table or view, once, so that a table and a view cannot share one.
create table names (
  namespace_key text not null,
  name_key text not null,
  kind text not null check (kind in ('table', 'view')),
  uuid text not null,
  primary key (namespace_key, name_key)
) strict, without rowid;

create index names_by_uuid on names (uuid);

insert into names (namespace_key, name_key, kind, uuid)
  select namespace_key, name_key, 'table', table_uuid from tables;

create table replays (
  replay_key text not null primary key,
  request_hash text not null,
  status integer not null,
  body text not null,
  expires_at_ms integer not null
) strict;

create index replays_by_end on replays (expires_at_ms);

alter table transactions add column revision integer not null default 0;

create table leases (
  name text not null primary key,
  owner text not null,
  fencing_token integer not null,
  expires_at_ms integer not null
) strict, without rowid;

create index leases_by_end on leases (expires_at_ms);
