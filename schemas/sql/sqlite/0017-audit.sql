-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds.

-- content: JSON. hash: SHA-256 in hexadecimal of all columns before it. seal: null until a seal has
-- the row. Positions are never given twice.
create table audit_rows (
  position integer primary key autoincrement,
  row_id text not null,
  time_ms integer not null,
  principal text not null,
  action text not null,
  kind text not null,
  subject text not null,
  name text not null,
  decision text not null,
  content text not null,
  hash text not null,
  seal integer
) strict;

create unique index audit_rows_by_id on audit_rows (row_id);

create index audit_rows_in_order on audit_rows (time_ms, position);

create index audit_rows_by_principal on audit_rows (principal, time_ms, position);

create index audit_rows_by_action on audit_rows (action, time_ms, position);

create index audit_rows_by_subject on audit_rows (subject, time_ms, position);

create index audit_rows_by_seal on audit_rows (seal, position);

-- hash: that of the seal, of which the next one has a copy. newest_ms: when its youngest row was.
-- pruned_through: rows of seals up to this one are given up.
create table audit_seals (
  seal integer not null primary key,
  hash text not null,
  newest_ms integer not null,
  pruned_through integer not null
) strict;

-- day: as in 2024-03-17, in UTC.
create table usage_days (
  day text not null,
  principal text not null,
  namespace text not null,
  requests integer not null,
  bytes_received integer not null,
  bytes_sent integer not null,
  primary key (day, principal, namespace)
) strict, without rowid;
