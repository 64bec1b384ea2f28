-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds. JSON is plain: 64-bit ids are decimal strings.

-- autoincrement: a position is never given twice. Writers take turns, so positions are in the order
-- of commits.
create table events (
  position integer not null primary key autoincrement,
  event_id text not null,
  type text not null,
  subject text not null,
  name text not null,
  version integer not null,
  time_ms integer not null,
  data text not null,
  principal text,
  request_id text,
  address text
) strict;

-- One row: events up to and including this position are forgotten.
create table event_horizon (forgotten integer not null) strict;

insert into event_horizon (forgotten) values (0);

create table event_cursors (
  name text not null primary key,
  position integer not null,
  fencing_token integer not null
) strict, without rowid;

-- due_at_ms: when it may be claimed; for a running job, when its lease ends.
create table jobs (
  job_id text not null primary key,
  kind text not null,
  unique_key text not null,
  state text not null check (state in ('waiting', 'running', 'succeeded', 'failed', 'cancelled')),
  input text not null,
  progress text,
  result text,
  problem text,
  attempts integer not null,
  due_at_ms integer not null,
  owner text not null,
  fencing_token integer not null,
  is_cancelled integer not null,
  created_at_ms integer not null,
  started_at_ms integer,
  ended_at_ms integer
) strict;

create unique index jobs_by_key on jobs (kind, unique_key) where ended_at_ms is null;

create index jobs_by_kind on jobs (kind, unique_key, created_at_ms);

create index jobs_due on jobs (state, due_at_ms, job_id) where ended_at_ms is null;

create index jobs_in_order on jobs (created_at_ms, job_id);

create index jobs_by_end on jobs (ended_at_ms) where ended_at_ms is not null;

-- Those who asked for the job: when the last one withdraws, it is cancelled.
create table job_askers (
  job_id text not null,
  asker text not null,
  primary key (job_id, asker)
) strict, without rowid;

create table task_ticks (
  name text not null primary key,
  tick_ms integer not null
) strict, without rowid;
