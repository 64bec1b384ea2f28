-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds.

-- content: JSON. hash: SHA-256 in hexadecimal of all columns before it. seal: null until a seal has
-- the row. Positions are never given twice.
create table audit_rows (
  position bigint generated always as identity primary key,
  row_id text collate "C" not null,
  time_ms bigint not null,
  principal text collate "C" not null,
  action text collate "C" not null,
  kind text collate "C" not null,
  subject text collate "C" not null,
  name text collate "C" not null,
  decision text collate "C" not null,
  content text not null,
  hash text collate "C" not null,
  seal bigint
);

create unique index audit_rows_by_id on audit_rows (row_id);

create index audit_rows_in_order on audit_rows (time_ms, position);

create index audit_rows_by_principal on audit_rows (principal, time_ms, position);

create index audit_rows_by_action on audit_rows (action, time_ms, position);

create index audit_rows_by_subject on audit_rows (subject, time_ms, position);

create index audit_rows_by_seal on audit_rows (seal, position);

-- hash: that of the seal, of which the next one has a copy. newest_ms: when its youngest row was.
-- pruned_through: rows of seals up to this one are given up.
create table audit_seals (
  seal bigint not null primary key,
  hash text collate "C" not null,
  newest_ms bigint not null,
  pruned_through bigint not null
);

-- day: as in 2024-03-17, in UTC.
create table usage_days (
  day text collate "C" not null,
  principal text collate "C" not null,
  namespace text collate "C" not null,
  requests bigint not null,
  bytes_received bigint not null,
  bytes_sent bigint not null,
  primary key (day, principal, namespace)
);
