import { BAD_REQUEST, COMMIT_FAILED, NOT_FOUND, type ProblemRows } from './problem-row.ts'

const NOT_SIGNED_IN = { status: 401, type: 'NotAuthorizedException' }
const EXPIRED = { status: 419, type: 'AuthenticationTimeoutException' }

/** Signing in, keys, privileges and roles. */
export const ACCESS_PROBLEMS = {
  'access-off': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Access control is off',
    meaning:
      'The service asks nobody who they are (`MORAINE_AUTH=none`), so nothing is kept of it.',
    remedy: 'Start the service with `MORAINE_AUTH=keys`.',
    retry: 'no',
  },
  'ckan-unavailable': {
    status: 503,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'CKAN out of reach',
    meaning:
      'CKAN decides who may read the table, and could not be asked, or its answer was none. ' +
      'Nothing was changed.',
    remedy: 'Repeat the request after the seconds of `Retry-After`; a key works all the while.',
    retry: 'yes',
  },
  'credential-expired': {
    status: 401,
    iceberg: EXPIRED,
    title: 'Expired credential',
    meaning: 'The token, or the key, was valid and is no longer.',
    remedy: 'Get a new token for the key; ask an administrator for a new key.',
    retry: 'no',
  },
  'credential-in-url': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Key in a URL',
    meaning:
      'URLs are kept in logs and histories, so a key or token in one is no secret any more. ' +
      'Parameters such as `access_token` and `api_key` are refused whatever they hold.',
    remedy: 'Revoke the key, and send its successor as `Authorization: Bearer`.',
    retry: 'no',
  },
  'credential-invalid': {
    status: 401,
    iceberg: NOT_SIGNED_IN,
    title: 'Invalid credential',
    meaning:
      'The key or token is malformed, unknown, revoked, for another audience, or signed by ' +
      'nobody who is trusted here.',
    remedy: 'Send a valid key or token as `Authorization: Bearer`.',
    retry: 'no',
  },
  'credential-missing': {
    status: 401,
    iceberg: NOT_SIGNED_IN,
    title: 'Not signed in',
    meaning: 'Whoever is not signed in may not do this.',
    remedy: 'Send a key or token as `Authorization: Bearer`.',
    retry: 'no',
  },
  'credential-over-plain-http': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Key over plain HTTP',
    meaning: 'Whoever is on the way from another machine can read a key that is not encrypted.',
    remedy:
      'Use https: put a proxy in front that says `X-Forwarded-Proto: https`, and give its ' +
      'address in `MORAINE_TRUST_PROXY`.',
    retry: 'no',
  },
  'identity-provider-unavailable': {
    status: 503,
    iceberg: { status: 429, type: 'TooManyRequestsException' },
    title: 'Identity provider out of reach',
    meaning:
      'The keys of the identity provider that has signed the token could not be read yet. ' +
      'Nothing was changed.',
    remedy: 'Repeat the request after the seconds of `Retry-After`; a key works all the while.',
    retry: 'yes',
  },
  'key-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'No such key',
    meaning: 'No key has this id, or it is revoked.',
    remedy: 'List the keys with `GET /v1/keys`.',
    retry: 'no',
  },
  'last-admin': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Last administrator',
    meaning: 'Afterwards nobody who can sign in would have the privilege `admin`.',
    remedy: 'Grant `admin` to another key or role first.',
    retry: 'no',
  },
  'path-not-readable': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'File not readable to you',
    meaning:
      'Nothing is at this path, or it belongs to a table that you may not read: the answer is ' +
      'the same.',
    remedy:
      'Check the path, and ask for `select` on the tables that name the file, or `modify` on ' +
      'the one in whose folder it is.',
    retry: 'no',
  },
  'role-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'No such role',
    meaning: 'No role has this name.',
    remedy: 'List the roles with `GET /v1/roles`.',
    retry: 'no',
  },
  'table-restricted': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Withheld by a policy',
    meaning:
      'The caller has the privilege, but a policy on the table withholds rows or columns from ' +
      'them: its dumps, rows and queries have what is left, and everything else is refused, ' +
      'such as files, counts from manifests, credentials and changes.',
    remedy:
      'With `select`, download `/v1/tables/{table}/dump` or read `/v1/tables/{table}/rows`; or ' +
      'somebody with `manage_grants` on the table excepts you from its policy.',
    retry: 'no',
  },
} as const satisfies ProblemRows
