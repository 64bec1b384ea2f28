-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds. JSON is plain: 64-bit ids are decimal strings.

-- written: the order of the inserts, each made under the lock of the row that changed; commits may
-- have another order. position: given by whoever reads first after the commit.
create table events (
  written bigint generated always as identity primary key,
  position bigint,
  event_id text collate "C" not null,
  type text collate "C" not null,
  subject text collate "C" not null,
  name text collate "C" not null,
  version bigint not null,
  time_ms bigint not null,
  data text not null,
  principal text,
  request_id text,
  address text
);

create index events_unnumbered on events (subject, written) where position is null;

create unique index events_by_position on events (position) where position is not null;

-- One row: events up to and including this position are forgotten.
create table event_horizon (forgotten bigint not null);

insert into event_horizon (forgotten) values (0);

create table event_cursors (
  name text collate "C" not null primary key,
  position bigint not null,
  fencing_token bigint not null
);

-- due_at_ms: when it may be claimed; for a running job, when its lease ends.
create table jobs (
  job_id text collate "C" not null primary key,
  kind text collate "C" not null,
  unique_key text collate "C" not null,
  state text collate "C" not null
    check (state in ('waiting', 'running', 'succeeded', 'failed', 'cancelled')),
  input text not null,
  progress text,
  result text,
  problem text,
  attempts bigint not null,
  due_at_ms bigint not null,
  owner text collate "C" not null,
  fencing_token bigint not null,
  is_cancelled bigint not null,
  created_at_ms bigint not null,
  started_at_ms bigint,
  ended_at_ms bigint
);

create unique index jobs_by_key on jobs (kind, unique_key) where ended_at_ms is null;

create index jobs_by_kind on jobs (kind, unique_key, created_at_ms);

create index jobs_due on jobs (state, due_at_ms, job_id) where ended_at_ms is null;

create index jobs_in_order on jobs (created_at_ms, job_id);

create index jobs_by_end on jobs (ended_at_ms) where ended_at_ms is not null;

-- Those who asked for the job: when the last one withdraws, it is cancelled.
create table job_askers (
  job_id text collate "C" not null,
  asker text collate "C" not null,
  primary key (job_id, asker)
);

create table task_ticks (
  name text collate "C" not null primary key,
  tick_ms bigint not null
);
