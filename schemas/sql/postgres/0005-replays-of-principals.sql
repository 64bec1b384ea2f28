-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Forgets the answers of the last hour, which had another form.
drop table replays;

-- An answer, or a reservation with status 0 while its owner works on the request.
create table replays (
  principal text collate "C" not null,
  replay_key text collate "C" not null,
  request_hash text collate "C" not null,
  body_hash text collate "C",
  owner text collate "C",
  status bigint not null,
  body text not null,
  expires_at_ms bigint not null,
  primary key (principal, replay_key)
);

create index replays_by_end on replays (expires_at_ms);
