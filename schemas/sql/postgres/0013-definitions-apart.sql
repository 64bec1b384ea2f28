-- A commit or publication writes the table's row anew: a definition of megabytes, which few of them
-- change, does not belong there.

create table table_definitions (
  table_uuid text collate "C" not null primary key,
  definition text not null
);

insert into table_definitions (table_uuid, definition) select table_uuid, definition from tables;

alter table tables drop column definition;
