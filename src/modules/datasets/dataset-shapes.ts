import { z } from 'zod'
import { boundedArray } from '../../http/bounded-shapes.ts'
import {
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_TIME,
  EXAMPLE_UUID,
  LongText,
  NextPageToken,
  PageQuery,
  Time,
} from '../../http/common-shapes.ts'
import { DUMP_FORMATS } from '../dumps/format/dump-index.ts'
import { QuerySourceShape, SqlText, StructuredQueryShape } from '../rows/query-shapes.ts'
import { isAutomaticName } from './dataset-identity.ts'

export const TTL_SECONDS_DEFAULT = 7 * 24 * 3_600
const TTL_SECONDS_MAX = 366 * 24 * 3_600
const CREATORS_MAX = 500
const KEYWORDS_MAX = 100
export const VERSIONS_MAX = 1_000
const COLUMNS_MAX = 100_000

const EXAMPLE_IDENTITY = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const EXAMPLE_PATH = '/v1/datasets/flights-2024'

const Creator = z
  .strictObject({
    name: z.string().min(1).max(500),
    id: z.string().max(500).optional().meta({ description: 'An ORCID, or another address.' }),
    affiliation: z.string().max(500).optional(),
  })
  .meta({ example: { name: 'Ada Lovelace', id: 'https://orcid.org/0000-0002-1825-0097' } })

const TITLE = z.string().min(1).max(1_000).meta({ example: 'Flights of 2024' })
const DESCRIPTION = z.string().max(20_000).meta({ example: 'All flights, by departure.' })
const LICENSE = z
  .string()
  .min(1)
  .max(1_000)
  .meta({ description: 'An SPDX identifier, or an address.', example: 'CC-BY-4.0' })
const KEYWORD = z.string().min(1).max(200)

export const MakeDatasetRequest = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/,
        'begins with a letter or an underscore and has at most 100 letters, digits, _ and -',
      )
      .refine((name) => !isAutomaticName(name), {
        message: 'names like this are given by the service: choose another',
      })
      .optional()
      .meta({
        description:
          'What to call it. Another dataset of that name stays: this is its next version. If ' +
          'absent, the name is made from what the dataset is made of.',
        example: 'flights-2024',
      }),
    source: QuerySourceShape.optional().meta({
      description: 'The table, and which snapshot of it; by default that of now. All its rows.',
    }),
    query: StructuredQueryShape.optional().meta({
      description: 'Instead of `source`: the rows of a query, as `POST /v1/query` takes it.',
    }),
    sql: SqlText.optional().meta({
      description: 'Instead of both: the rows of a SELECT, as `POST /v1/query` takes it.',
      example: 'SELECT origin, count(*) AS flights FROM aviation.flights GROUP BY origin',
    }),
    formats: boundedArray(z.enum(DUMP_FORMATS), { max: DUMP_FORMATS.length })
      .optional()
      .meta({
        description:
          'Downloads to be made before it is `ready`, so that these begin at once. They do not ' +
          'decide which dataset it is: of one that is there already they are made, too.',
        example: ['csv', 'parquet'],
      }),
    title: TITLE.optional(),
    description: DESCRIPTION.optional(),
    creators: boundedArray(Creator, { max: CREATORS_MAX }).optional(),
    license: LICENSE.optional(),
    keywords: boundedArray(KEYWORD, { max: KEYWORDS_MAX }).optional(),
    ttl_seconds: z
      .int()
      .min(1)
      .max(TTL_SECONDS_MAX)
      .default(TTL_SECONDS_DEFAULT)
      .meta({ description: 'How long it lives unless it is published; 7 days by default.' }),
  })
  .refine(
    ({ source, query, sql }) => [source, query, sql].filter((it) => it !== undefined).length === 1,
    { message: 'give one of source, query and sql' },
  )
  .meta({
    id: 'MakeDatasetRequest',
    example: {
      name: 'flights-2024',
      source: { table: 'aviation.flights', as_at: '2024-12-31' },
      title: 'Flights of 2024',
      license: 'CC-BY-4.0',
    },
  })

/** Texts of a card; `null` takes one out. */
export const DescribeDatasetRequest = z
  .strictObject({
    title: TITLE.nullable().optional(),
    description: DESCRIPTION.nullable().optional(),
    creators: boundedArray(Creator, { max: CREATORS_MAX }).optional(),
    license: LICENSE.nullable().optional(),
    keywords: boundedArray(KEYWORD, { max: KEYWORDS_MAX }).optional(),
  })
  .refine((texts) => Object.keys(texts).length > 0, { message: 'give at least one member' })
  .meta({ id: 'DescribeDatasetRequest', example: { title: 'Flights of 2024, all airports' } })

const STATES = ['queued', 'building', 'ready', 'failed', 'expired'] as const
const STATE = z.enum(STATES).meta({
  description: 'Rows can be read while it is `ready`; `expired` and `failed` are for ever.',
})
const UNKNOWN = 'null where it is not known.'

const DatasetColumn = z.strictObject({
  name: z.string(),
  type: z.unknown().meta({ description: 'As in the schema of a table.' }),
  nullable: z.boolean(),
  description: z.string().nullable(),
})

export const DatasetAnswer = z
  .strictObject({
    name: z.string(),
    version: z.int(),
    url: z.string().meta({ description: 'The permanent address of this version.' }),
    state: STATE,
    identity: z.string().meta({
      description:
        'SHA-256 of all that decides the rows: table, snapshot, schema and query. Who asks for ' +
        'the same gets the same dataset.',
    }),
    source: z.strictObject({
      table_id: z.string(),
      table: z.string().meta({ description: 'What it was called.' }),
      snapshot_id: LongText,
      snapshot_at: Time,
    }),
    query: z.unknown().meta({ description: 'null: the whole snapshot.' }),
    table_id: z.string(),
    table: z.string().meta({
      description:
        'Its hidden table, by which engines read it: in no list, loaded by this name on both ' +
        'faces, and never changed.',
    }),
    title: z.string().nullable(),
    description: z.string().nullable(),
    creators: z.array(Creator).max(CREATORS_MAX),
    license: z.string().nullable(),
    keywords: z.array(z.string()).max(KEYWORDS_MAX),
    rows: z.int().nullable().meta({ description: UNKNOWN }),
    files: z.int().nullable().meta({ description: UNKNOWN }),
    bytes: z
      .int()
      .nullable()
      .meta({ description: `Of the data files; ${UNKNOWN}` }),
    columns: z.array(DatasetColumn).max(COLUMNS_MAX),
    created_at: Time,
    published_at: Time.nullable(),
    expires_at: Time.nullable().meta({ description: 'null: it lives for ever.' }),
    ended_at: Time.nullable(),
    download_url: z.string(),
    status_url: z.string(),
    problem: z.unknown().meta({ description: 'Why it failed; or null.' }),
  })
  .meta({
    id: 'Dataset',
    example: {
      name: 'flights-2024',
      version: 1,
      url: `${EXAMPLE_PATH}/1`,
      state: 'ready',
      identity: EXAMPLE_IDENTITY,
      source: {
        table_id: EXAMPLE_UUID,
        table: 'aviation.flights',
        snapshot_id: EXAMPLE_SNAPSHOT_ID,
        snapshot_at: EXAMPLE_TIME,
      },
      query: null,
      table_id: '0f8c1c9e-6d0f-8f0a-9b2a-7c1d0e5b8a11',
      table: 'moraine$datasets.flights-2024_v1',
      title: 'Flights of 2024',
      description: null,
      creators: [{ name: 'Ada Lovelace' }],
      license: 'CC-BY-4.0',
      keywords: ['aviation'],
      rows: 1_048_576,
      files: 4,
      bytes: 104_857_600,
      columns: [{ name: 'id', type: 'long', nullable: false, description: null }],
      created_at: EXAMPLE_TIME,
      published_at: null,
      expires_at: '2024-03-24T23:51:46.000Z',
      ended_at: null,
      download_url: `${EXAMPLE_PATH}/1/download`,
      status_url: `${EXAMPLE_PATH}/1/status`,
      problem: null,
    },
  })

export const DatasetStatus = z
  .strictObject({
    name: z.string(),
    version: z.int(),
    state: STATE,
    progress: z.unknown().meta({ description: 'Of the job that makes it; or null.' }),
    rows: z.int().nullable(),
    expires_at: Time.nullable(),
    dataset_url: z.string(),
    download_url: z.string().nullable().meta({ description: 'null until it is ready.' }),
    problem: z.unknown().meta({ description: 'Why it failed; or null.' }),
  })
  .meta({
    id: 'DatasetStatus',
    example: {
      name: 'flights-2024',
      version: 1,
      state: 'ready',
      progress: null,
      rows: 1_048_576,
      expires_at: null,
      dataset_url: `${EXAMPLE_PATH}/1`,
      download_url: `${EXAMPLE_PATH}/1/download`,
      problem: null,
    },
  })

export const DeleteDatasetQuery = z.strictObject({
  confirm: z.string().min(1).max(200).optional().meta({
    description: 'The name of the dataset, if it is published.',
    example: 'flights-2024',
  }),
})
export const ListDatasetsQuery = z.strictObject(PageQuery)
export const DatasetPosition = z.tuple([z.string().min(1).max(200), z.int().min(1)])
export const DatasetListAnswer = z
  .strictObject({
    datasets: z.array(DatasetAnswer).max(VERSIONS_MAX),
    next_page_token: NextPageToken,
  })
  .meta({ id: 'DatasetList', example: { datasets: [], next_page_token: null } })
export const DatasetVersionsAnswer = z
  .strictObject({ versions: z.array(DatasetAnswer).max(VERSIONS_MAX) })
  .meta({ id: 'DatasetVersions', example: { versions: [] } })
