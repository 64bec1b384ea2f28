-- When each export runs next by its schedule, and what its files said when that was found.
create table schedules (
  name text not null primary key,
  digest text not null,
  next_at_ms integer not null
) strict, without rowid;
