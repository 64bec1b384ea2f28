-- A statement ends with a semicolon at the end of a line; no other line ends with one.

-- Facts about the catalog itself, such as which warehouse is its own.
create table settings (
  name text not null primary key,
  value text not null
);
