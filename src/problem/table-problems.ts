import {
  ALREADY_EXISTS,
  BAD_REQUEST,
  NOT_FOUND,
  type ProblemRows,
  UNSUPPORTED,
} from './problem-row.ts'

/** Tables, their definitions, and reading them. */
export const TABLE_PROBLEMS = {
  'table-not-found': {
    status: 404,
    iceberg: { status: 404, type: 'NoSuchTableException' },
    title: 'Table not found',
    meaning: 'There is no table of this name or id, or it was dropped.',
    remedy: 'Check the name; GET /v1/tables lists all tables.',
    retry: 'no',
  },
  'table-already-exists': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Table already exists',
    meaning: 'A table of this name exists already; names are compared without regard to case.',
    remedy: 'Choose another name, or use the existing table.',
    retry: 'no',
  },
  'table-property-invalid': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Invalid table property',
    meaning: 'A property of the table, named by `property`, does not have the form it must have.',
    remedy: 'Set the property again or remove it, with the client that made the table.',
    retry: 'no',
  },
  'definition-too-large': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Definition too large',
    meaning:
      'What the change would leave of the table, view or namespace (its schemas, properties and ' +
      'the like, all together) or of the snapshot’s summary is longer than `characters_max`.',
    remedy: 'Remove what is no longer needed, as the problem says, or keep long texts elsewhere.',
    retry: 'no',
  },
  'location-taken': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Location taken',
    meaning:
      'The location is that of another table, or lies within or around one. A dropped table ' +
      'keeps its location while its files are there.',
    remedy:
      'Choose another location, or leave it out. `taken_location` can be used again once the ' +
      'dropped table’s files are purged or removed.',
    retry: 'no',
  },
  'resource-taken': {
    status: 409,
    iceberg: BAD_REQUEST,
    title: 'Resource of another table',
    meaning: 'Another table has this `moraine.ckan-resource-id`; a resource of CKAN is one table.',
    remedy: 'Remove the property from the other table first, or choose another id.',
    retry: 'no',
  },
  'name-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid name',
    meaning: 'The name of a table, view or namespace is too long or has a character not allowed.',
    remedy:
      'Start each name with a letter or `_`, and use at most 128 letters, digits, `_` and `-`; ' +
      'join the levels of a namespace with dots.',
    retry: 'no',
  },
  'schema-invalid': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Invalid schema',
    meaning: 'The columns do not make a valid schema.',
    remedy: 'Correct the `column` named in the problem; `rule` says what it breaks.',
    retry: 'no',
  },
  'column-type-unknown': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Unknown column type',
    meaning: 'A column has a type that is not supported.',
    remedy: 'Use one of the types listed in the problem.',
    retry: 'no',
  },
  'schema-change-invalid': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Schema change not possible',
    meaning: 'The schema cannot be changed in this way.',
    remedy: 'Correct the change to the `column` named in the problem; `rule` says what it breaks.',
    retry: 'no',
  },
  'schema-change-rewrites-files': {
    status: 501,
    iceberg: UNSUPPORTED,
    title: 'Type change not supported',
    meaning: 'The type change would convert values in data files, which is not possible here.',
    remedy: 'Add a new column instead, or write a new table.',
    retry: 'no',
  },
  'partitioning-invalid': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Invalid partitioning',
    meaning: 'The partitioning does not fit the schema.',
    remedy: 'Correct the `column` named in the problem; `rule` says what it breaks.',
    retry: 'no',
  },
  'snapshot-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Snapshot not found',
    meaning: 'The table has no such snapshot, branch or tag.',
    remedy: 'GET /v1/tables/{table_identifier}/snapshots lists the snapshots.',
    retry: 'no',
  },
  'as-at-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid time',
    meaning: 'A time (`as_at`, `before` or `after`) is not in a known format.',
    remedy:
      'Use epoch milliseconds, an RFC 3339 time (UTC if it has no offset), a date, a month or a ' +
      'year. ' +
      'In a URL, write `+` as `%2B`.',
    retry: 'no',
  },
  'as-at-before-first-snapshot': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'No snapshot at that time',
    meaning: 'The table had no snapshot yet at the requested time.',
    remedy: 'Ask for `first_snapshot_at` or later. If that is null, the table is empty.',
    retry: 'no',
  },
  'filter-invalid': {
    status: 400,
    iceberg: BAD_REQUEST,
    title: 'Invalid filter',
    meaning:
      'The filter has a syntax error, names a column that the table does not have, or compares a ' +
      'column with a value of another type.',
    remedy: 'Correct it at `position`; `near` quotes the place, `expected` says what fits there.',
    retry: 'no',
  },
} as const satisfies ProblemRows
