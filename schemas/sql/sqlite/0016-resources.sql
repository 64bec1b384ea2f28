-- resource_id: property moraine.ckan-resource-id of the table.
create table table_resources (
  resource_id text not null primary key,
  table_uuid text not null unique
) strict, without rowid;
