-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Of living and dropped tables. The key is one spelling for each folder (core/table/folder-key.ts):
-- src/catalog/sql/engine/migrations.ts adds those of the tables that are there.
create table table_locations (
  location_key text not null,
  table_uuid text not null,
  location text not null,
  keeps_files bigint not null default 0,
  primary key (location_key, table_uuid)
);

create index table_locations_by_table on table_locations (table_uuid);
