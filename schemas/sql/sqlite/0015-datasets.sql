-- A dataset is a query of a snapshot, frozen. table_uuid: its hidden table, which is there while it
-- is ready. identity: what it is made of; living_identity: the same, until it ends. query, card,
-- facts, problem: JSON. securable: what privileges on it are asked of.
create table datasets (
  table_uuid text not null primary key,
  name text not null,
  name_key text not null,
  version integer not null,
  identity text not null,
  living_identity text,
  state text not null,
  source_uuid text not null,
  source_name text not null,
  snapshot_id integer not null,
  query text,
  card text not null,
  facts text not null,
  problem text,
  created_at_ms integer not null,
  created_by text,
  published_at_ms integer,
  expires_at_ms integer,
  ended_at_ms integer,
  securable text not null
) strict, without rowid;

create unique index datasets_versions on datasets (name_key, version);
create unique index datasets_living on datasets (name_key, living_identity);
create index datasets_expiring on datasets (expires_at_ms) where expires_at_ms is not null;
create index datasets_by_source on datasets (source_uuid);
