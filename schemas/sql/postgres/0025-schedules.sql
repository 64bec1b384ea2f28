-- When each export runs next by its schedule, and what its files said when that was found.
create table schedules (
  name text collate "C" not null primary key,
  digest text collate "C" not null,
  next_at_ms bigint not null
);
