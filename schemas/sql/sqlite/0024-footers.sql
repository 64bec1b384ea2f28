-- What a data file was when it was committed: the first 16 bytes of the SHA-256 of its Parquet footer,
-- in base64url. Null: nobody has read it, or it is no data file.
alter table known_paths add column footer text;
alter table dropped_paths add column footer text;
