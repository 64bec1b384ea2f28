-- A statement ends with a semicolon at the end of a line; no other line ends with one.
-- Times are epoch milliseconds.

-- The default gives UUIDs to the namespaces that exist.
alter table namespaces
  add column namespace_uuid text collate "C" not null default cast(gen_random_uuid() as text);

create unique index namespaces_by_uuid on namespaces (namespace_uuid);

-- Who started it; null for the anonymous.
alter table transactions add column principal text collate "C";

-- securable: the UUID of a table, view or namespace, or 'catalog'. orphaned_at_ms: since when that
-- is known to be gone.
create table grants (
  securable text collate "C" not null,
  principal text collate "C" not null,
  privilege text collate "C" not null,
  orphaned_at_ms bigint,
  primary key (securable, principal, privilege)
);

create index grants_by_principal on grants (principal, securable);

create table roles (
  role text collate "C" not null primary key,
  created_at_ms bigint not null
);

create table role_members (
  role text collate "C" not null,
  member text collate "C" not null,
  primary key (role, member)
);

-- secret_hash: SHA-256 in base64url of the whole key, which is never kept. scopes: JSON.
create table access_keys (
  key_id text collate "C" not null primary key,
  secret_hash text collate "C" not null,
  description text collate "C",
  scopes text collate "C",
  created_by text collate "C" not null,
  created_at_ms bigint not null,
  expires_at_ms bigint,
  revoked_at_ms bigint,
  last_used_at_ms bigint
);

-- Each signs the tokens of one day.
create table signing_keys (
  key_id text collate "C" not null primary key,
  secret text collate "C" not null,
  created_at_ms bigint not null
);
