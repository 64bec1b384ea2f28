-- resource_id: property moraine.ckan-resource-id of the table.
create table table_resources (
  resource_id text collate "C" not null primary key,
  table_uuid text collate "C" not null unique
);
