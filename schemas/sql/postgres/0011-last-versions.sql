-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- The version that each dropped table or view had. Whoever registers it again goes on above it:
-- a version stands for one state of its UUID, also for those who read it before the drop.
create table last_versions (
  uuid text collate "C" not null primary key,
  version bigint not null
);
