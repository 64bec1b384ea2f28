-- A dataset is a query of a snapshot, frozen. table_uuid: its hidden table, which is there while it
-- is ready. identity: what it is made of; living_identity: the same, until it ends. query, card,
-- facts, problem: JSON. securable: what privileges on it are asked of.
create table datasets (
  table_uuid text collate "C" not null primary key,
  name text not null,
  name_key text collate "C" not null,
  version bigint not null,
  identity text not null,
  living_identity text collate "C",
  state text not null,
  source_uuid text collate "C" not null,
  source_name text not null,
  snapshot_id bigint not null,
  query text,
  card text not null,
  facts text not null,
  problem text,
  created_at_ms bigint not null,
  created_by text,
  published_at_ms bigint,
  expires_at_ms bigint,
  ended_at_ms bigint,
  securable text collate "C" not null
);

create unique index datasets_versions on datasets (name_key, version);
create unique index datasets_living on datasets (name_key, living_identity);
create index datasets_expiring on datasets (expires_at_ms) where expires_at_ms is not null;
create index datasets_by_source on datasets (source_uuid);
