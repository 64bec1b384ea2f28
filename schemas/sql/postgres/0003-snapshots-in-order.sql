-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- The order of metadata files: a history of any length is read in pages, each one descent.
create index snapshots_in_order
  on snapshots (table_uuid, sequence_number, timestamp_ms, snapshot_id);
