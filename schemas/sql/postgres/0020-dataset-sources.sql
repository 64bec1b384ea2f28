-- Tables that a dataset of SQL is read by beside its first: other_securables has them as JSON, and
-- dataset_sources a row for each.
alter table datasets add column other_securables text;

create table dataset_sources (
  table_uuid text collate "C" not null,
  securable text collate "C" not null,
  primary key (table_uuid, securable)
);

create index dataset_sources_by_securable on dataset_sources (securable);
