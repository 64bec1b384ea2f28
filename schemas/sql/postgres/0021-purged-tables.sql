-- Purged tables whose folders may still have files: what a kill or another purge at the same time left
-- is found there, from due_at_ms on. A table that comes back has no row.
create table purged_tables (
  table_uuid text collate "C" not null primary key,
  due_at_ms bigint not null
);

create index purged_tables_by_time on purged_tables (due_at_ms);

insert into purged_tables (table_uuid, due_at_ms) select distinct table_uuid, 0 from purges;
