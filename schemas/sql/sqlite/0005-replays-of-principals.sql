-- Statements end with a semicolon at the end of a line; nothing else may.

-- Answers of the last hour are forgotten: they were of another form.
drop table replays;

-- An answer, or a reservation: then the status is 0, and the owner works on the request.
create table replays (
  principal text not null,
  replay_key text not null,
  request_hash text not null,
  body_hash text,
  owner text,
  status integer not null,
  body text not null,
  expires_at_ms integer not null,
  primary key (principal, replay_key)
) strict;

create index replays_by_end on replays (expires_at_ms);
