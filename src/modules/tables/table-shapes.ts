import { z } from 'zod'
import { boundedArray, boundedRecord } from '../../http/bounded-shapes.ts'
import {
  AT_MOST_ONE,
  Author,
  bodySelectors,
  EXACTLY_ONE,
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_TIME,
  EXAMPLE_TRANSACTION_ID,
  EXAMPLE_UUID,
  Filter,
  LongText,
  Message,
  NextPageToken,
  PageQuery,
  QueryMoment,
  RefInput,
  SnapshotIdInput,
  Time,
} from '../../http/common-shapes.ts'
import { COLUMNS_LISTED_MAX, Column, ColumnInput, EXAMPLE_COLUMN } from './schema-shapes.ts'

const EXAMPLE_LOCATION = `file:///warehouse/5f/flights-${EXAMPLE_UUID}`
const METADATA_BYTES_MAX = 64 * 1024
/** More do not fit into the bytes. */
const METADATA_KEYS_MAX = 16_384
const LOCATION_LENGTH_MAX = 2_048

const Description = z.string().max(10_000).meta({ example: 'Flights of all airlines.' })
const Steward = z
  .string()
  .max(1_000)
  .meta({ description: 'Who is responsible for the table.', example: 'ops@example.org' })
const Disposition = z.enum(['snapshot', 'continuous']).meta({
  description:
    'A hint for readers. `snapshot`: each load replaces the table; `continuous`: data keeps ' +
    'being added.',
  example: 'continuous',
})
const Metadata = boundedRecord({ key: z.string().max(200), value: z.unknown() }, METADATA_KEYS_MAX)
  .refine(fitsMetadata, 'may have at most 64 KiB of JSON, with integers beyond 2^53 as text')
  .meta({
    description: 'Arbitrary JSON values by key; at most 64 KiB in all.',
    example: { sla: 'daily' },
  })

function fitsMetadata(metadata: Readonly<Record<string, unknown>>): boolean {
  try {
    return Buffer.byteLength(JSON.stringify(metadata)) <= METADATA_BYTES_MAX
  } catch {
    return false // a bigint, which other JSON writers would round
  }
}

const Partitioning = z
  .strictObject({
    column: z.string().max(1_000).meta({ example: 'departed_at' }),
    transform: z.string().max(100).meta({
      description: '`identity`, `year`, `month`, `day`, `hour`, `bucket[N]`, `truncate[N]`.',
      example: 'day',
    }),
  })
  .meta({ example: { column: 'departed_at', transform: 'day' } })

export const TableName = z
  .string()
  .meta({ description: 'Letters, digits, `_` and `-`; at most 128.', example: 'flights' })
export const Namespace = z
  .string()
  .meta({ description: 'Dotted; `default` if absent.', example: 'aviation' })

export const CreateTableRequest = z
  .strictObject({
    name: TableName,
    namespace: Namespace.optional(),
    schema: z
      .strictObject({ columns: boundedArray(ColumnInput, { max: COLUMNS_LISTED_MAX }) })
      .optional()
      .meta({ description: 'The columns. Give this or `infer_from`.' }),
    infer_from: z.string().optional().meta({
      description: 'Location of a Parquet file to infer the columns from.',
      example: 'file:///data/flights.parquet',
    }),
    hive_partitioning: z.boolean().optional().meta({
      description: 'False: its folders `name=value` are no columns. Those of the warehouse never.',
    }),
    partitioning: boundedArray(Partitioning, { max: 100 }).optional(),
    location: z
      .string()
      .max(LOCATION_LENGTH_MAX)
      .optional()
      .meta({
        description:
          'A folder in the warehouse, or below one of MORAINE_WRITABLE_LOCATIONS, for the ' +
          'table’s own files; by default one of its own. ' +
          'It must not be in another table’s folder, nor around one.',
      }),
    description: Description.nullish(),
    steward: Steward.nullish(),
    disposition: Disposition.nullish(),
    metadata: Metadata.optional(),
  })
  .meta({
    id: 'CreateTableRequest',
    example: {
      name: 'flights',
      namespace: 'aviation',
      schema: {
        columns: [
          { name: 'flight_id', type: 'long', nullable: false },
          { name: 'departed_at', type: 'timestamptz' },
        ],
      },
      partitioning: [{ column: 'departed_at', transform: 'day' }],
      description: 'Flights of all airlines.',
    },
  })

export const DescribeTableRequest = z
  .strictObject({
    description: Description.nullish(),
    steward: Steward.nullish(),
    disposition: Disposition.nullish(),
    metadata: Metadata.optional().meta({
      description: 'Merged key by key; null removes a key. At most 64 KiB in all.',
    }),
  })
  .meta({
    id: 'DescribeTableRequest',
    description: 'Absent members stay unchanged; null removes.',
    example: { steward: 'ops@example.org', metadata: { sla: 'daily', draft: null } },
  })

export const CloneTableRequest = z
  .strictObject({
    name: TableName,
    namespace: Namespace.optional(),
    ...bodySelectors,
  })
  .refine(...AT_MOST_ONE)
  .meta({ id: 'CloneTableRequest', example: { name: 'flights_2024', as_at: '2024-12-31' } })

export const RenameRequest = z
  .strictObject({
    name: TableName,
    namespace: Namespace.optional().meta({ description: 'If absent, it stays where it is.' }),
  })
  .meta({ id: 'RenameRequest', example: { name: 'flights_2024' } })

export const RollbackTableRequest = z
  .strictObject(bodySelectors)
  .refine(...EXACTLY_ONE)
  .meta({ id: 'RollbackTableRequest', example: { snapshot_id: EXAMPLE_SNAPSHOT_ID } })

export const ReadTableQuery = z
  .strictObject({
    as_at: QueryMoment.optional(),
    snapshot_id: SnapshotIdInput.optional(),
    ref: RefInput.optional(),
    filter: Filter.optional(),
  })
  .refine(...AT_MOST_ONE)
export const ReadSnapshotQuery = z.strictObject({ filter: Filter.optional() })
export const ListTablesQuery = z.strictObject({
  namespace: Namespace.optional().meta({
    description: 'Only tables directly in this namespace.',
    example: 'aviation',
  }),
  prefix: z.string().max(128).optional().meta({
    description: 'Only tables whose name begins with this, ignoring case.',
    example: 'fli',
  }),
  ...PageQuery,
})

export const SnapshotId = LongText.meta({ example: EXAMPLE_SNAPSHOT_ID })

export const SnapshotAnswer = z
  .strictObject({
    snapshot_id: SnapshotId,
    parent_snapshot_id: SnapshotId.nullable(),
    sequence_number: LongText.meta({ example: '12' }),
    timestamp: Time,
    operation: z.enum(['append', 'replace', 'overwrite', 'delete']),
    schema_id: z.int(),
    manifest_list: z.string(),
    summary: z.record(z.string(), z.string()),
    transaction_ids: z.array(z.string()),
    author: Author.nullable(),
    message: Message.nullable(),
  })
  .meta({
    id: 'Snapshot',
    example: {
      snapshot_id: EXAMPLE_SNAPSHOT_ID,
      parent_snapshot_id: null,
      sequence_number: '1',
      timestamp: EXAMPLE_TIME,
      operation: 'append',
      schema_id: 0,
      manifest_list: `${EXAMPLE_LOCATION}/metadata/manifest_lists/man_list-1-0.avro`,
      summary: { 'added-data-files': '1', 'total-records': '1024' },
      transaction_ids: [EXAMPLE_TRANSACTION_ID],
      author: 'nightly-load',
      message: null,
    },
  })

const tableMembers = {
  table_id: z.string().meta({ description: 'The table’s UUID.', example: EXAMPLE_UUID }),
  name: z.string().meta({ example: 'flights' }),
  namespace: z.string().meta({ example: 'aviation' }),
  identifier: z.string().meta({ example: 'aviation.flights' }),
  description: z.string().nullable(),
  steward: z.string().nullable(),
  disposition: z.enum(['snapshot', 'continuous']).nullable(),
  metadata: z.record(z.string(), z.unknown()),
  location: z.string().meta({ example: EXAMPLE_LOCATION }),
  format_version: z
    .int()
    .meta({ description: 'Version of the Apache Iceberg format.', example: 2 }),
  created_at: Time,
  updated_at: Time,
  metadata_location: z
    .string()
    .nullable()
    .meta({
      description:
        'Newest Iceberg metadata file, for readers by path. With thousands of snapshots, it may ' +
        'be some seconds behind the last commit.',
    }),
  schema: z.strictObject({ schema_id: z.int(), columns: z.array(Column) }),
  partitioning: z.array(
    z.strictObject({ name: z.string(), column: z.string(), transform: z.string() }),
  ),
  refs: z
    .record(
      z.string(),
      z.strictObject({ type: z.enum(['branch', 'tag']), snapshot_id: SnapshotId }),
    )
    .meta({ description: 'Branches and tags other than `main`.' }),
  snapshot: SnapshotAnswer.nullable().meta({
    description: 'The snapshot that is shown; null if the table has none yet.',
  }),
}

export const exampleTable = {
  table_id: EXAMPLE_UUID,
  name: 'flights',
  namespace: 'aviation',
  identifier: 'aviation.flights',
  description: 'Flights of all airlines.',
  steward: null,
  disposition: null,
  metadata: {},
  location: EXAMPLE_LOCATION,
  format_version: 2,
  created_at: EXAMPLE_TIME,
  updated_at: EXAMPLE_TIME,
  metadata_location: `${EXAMPLE_LOCATION}/metadata/00000-a.metadata.json`,
  schema: { schema_id: 0, columns: [EXAMPLE_COLUMN] },
  partitioning: [],
  refs: {},
  snapshot: null,
}

export const TableAnswer = z.strictObject(tableMembers).meta({ id: 'Table', example: exampleTable })

const Counts = z
  .strictObject({ total: z.int(), skipped: z.int(), kept: z.int() })
  .meta({ example: { total: 100, skipped: 99, kept: 1 } })
const DeleteFile = z.strictObject({
  path: z.string(),
  content: z.enum(['position-deletes', 'equality-deletes']),
  format: z.string(),
  record_count: z.int(),
  file_size_bytes: z.int(),
})

export const DataFileAnswer = z
  .strictObject({
    path: z.string(),
    format: z.string(),
    record_count: z.int(),
    file_size_bytes: z.int(),
    sequence_number: LongText,
    partition: z.record(z.string(), z.unknown()).meta({
      description: 'By partition field, in Iceberg’s JSON single-value form.',
    }),
    bounds: z.record(z.string(), z.strictObject({ lower: z.unknown(), upper: z.unknown() })).meta({
      description:
        'By column: no value is below `lower` or above `upper`, which may be truncated; null ' +
        'means unknown.',
    }),
    null_counts: z.record(z.string(), z.int()),
    delete_files: z
      .array(DeleteFile)
      .meta({ description: 'Files that list deleted rows of this data file.' }),
  })
  .meta({
    id: 'DataFile',
    example: {
      path: 'file:///data/flights-0001.parquet',
      format: 'parquet',
      record_count: 1024,
      file_size_bytes: 51_200,
      sequence_number: '1',
      partition: {},
      bounds: { flight_id: { lower: 1, upper: 1024 } },
      null_counts: { flight_id: 0 },
      delete_files: [],
    },
  })

/** Sums over data files, as a reading of a table has them. */
const Totals = z
  .strictObject({
    data_files: z.int(),
    records: z
      .int()
      .nullable()
      .meta({
        description:
          'Rows that are not deleted. Null if only reading the delete files tells: with equality ' +
          'deletes, or position deletes of several data files.',
      }),
    records_in_files: z.int().meta({ description: 'Rows of the data files, deleted or not.' }),
    bytes: z.int(),
  })
  .meta({ description: 'Sums over the listed data files.' })

export const TableReadingAnswer = z
  .strictObject({
    ...tableMembers,
    planning: z.strictObject({ manifests: Counts, files: Counts }),
    totals: Totals,
    warnings: z.array(z.string()).meta({
      description:
        'What would surprise readers of the table: a stamp that is ahead of the clock of the ' +
        'service, so that `as_at` misses it until then.',
    }),
    data_files: z.array(DataFileAnswer),
  })
  .meta({
    id: 'TableReading',
    example: {
      ...exampleTable,
      planning: {
        manifests: { total: 0, skipped: 0, kept: 0 },
        files: { total: 0, skipped: 0, kept: 0 },
      },
      totals: { data_files: 0, records: 0, records_in_files: 0, bytes: 0 },
      warnings: [],
      data_files: [],
    },
  })

export const TableListAnswer = z
  .strictObject({
    tables: z.array(
      z.strictObject({
        table_id: z.string(),
        name: z.string(),
        namespace: z.string(),
        identifier: z.string(),
        location: z.string(),
        created_at: Time,
        updated_at: Time,
        current_snapshot_id: SnapshotId.nullable(),
      }),
    ),
    next_page_token: NextPageToken,
  })
  .meta({ id: 'TableList', example: { tables: [], next_page_token: null } })

export const SnapshotLogQuery = z.strictObject({
  before: QueryMoment.optional().meta({
    description: 'Only entries earlier than this moment.',
    example: '2024-03-18',
  }),
  after: QueryMoment.optional().meta({
    description: 'Only entries later than this moment.',
    example: '2024-03-01',
  }),
  ...PageQuery,
})

export const SnapshotLogAnswer = z
  .strictObject({
    snapshots: z.array(
      SnapshotAnswer.extend({
        logged_at: Time.meta({ description: 'When it became current.' }),
        is_current: z.boolean(),
      }),
    ),
    next_page_token: NextPageToken,
  })
  .meta({ id: 'SnapshotLog', example: { snapshots: [], next_page_token: null } })
