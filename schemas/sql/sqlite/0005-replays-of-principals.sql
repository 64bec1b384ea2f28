-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Forgets the answers of the last hour, which had another form.
drop table replays;

-- An answer, or a reservation with status 0 while its owner works on the request.
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
