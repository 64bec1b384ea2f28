-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds.

alter table namespaces add column namespace_uuid text;

update namespaces set namespace_uuid = lower(
  hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
    || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));

create unique index namespaces_by_uuid on namespaces (namespace_uuid);

-- Who started it; null for the anonymous.
alter table transactions add column principal text;

-- securable: the UUID of a table, view or namespace, or 'catalog'. orphaned_at_ms: since when that
-- is known to be gone.
create table grants (
  securable text not null,
  principal text not null,
  privilege text not null,
  orphaned_at_ms integer,
  primary key (securable, principal, privilege)
) strict, without rowid;

create index grants_by_principal on grants (principal, securable);

create table roles (
  role text not null primary key,
  created_at_ms integer not null
) strict, without rowid;

create table role_members (
  role text not null,
  member text not null,
  primary key (role, member)
) strict, without rowid;

-- secret_hash: SHA-256 in base64url of the whole key, which is never kept. scopes: JSON.
create table access_keys (
  key_id text not null primary key,
  secret_hash text not null,
  description text,
  scopes text,
  created_by text not null,
  created_at_ms integer not null,
  expires_at_ms integer,
  revoked_at_ms integer,
  last_used_at_ms integer
) strict, without rowid;

-- Each signs the tokens of one day.
create table signing_keys (
  key_id text not null primary key,
  secret text not null,
  created_at_ms integer not null
) strict, without rowid;
