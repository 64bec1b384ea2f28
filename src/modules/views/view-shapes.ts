import { z } from 'zod'
import { boundedArray } from '../../http/bounded-shapes.ts'
import {
  EXAMPLE_TIME,
  EXAMPLE_UUID,
  NextPageToken,
  PageQuery,
  Time,
} from '../../http/common-shapes.ts'
import { COLUMNS_LISTED_MAX, Column, ColumnInput, EXAMPLE_COLUMN } from '../tables/schema-shapes.ts'

const EXAMPLE_LOCATION = `file:///warehouse/5f/late_flights-${EXAMPLE_UUID}`
const QUERIES_MAX = 100
const SQL_LENGTH_MAX = 1_000_000

const Namespace = z.string().meta({ description: 'Dotted.', example: 'aviation' })
const Description = z.string().max(10_000).meta({ example: 'Flights that left late.' })
const EXAMPLE_QUERY = { dialect: 'duckdb', sql: 'SELECT * FROM flights WHERE delay > 15' }

const Query = z
  .strictObject({
    dialect: z.string().min(1).max(100).meta({
      description: 'The SQL dialect; a view has at most one text in each, ignoring case.',
      example: 'duckdb',
    }),
    sql: z.string().min(1).max(SQL_LENGTH_MAX).meta({ example: EXAMPLE_QUERY.sql }),
  })
  .meta({ id: 'ViewQuery', example: EXAMPLE_QUERY })

const texts = {
  queries: boundedArray(Query, { min: 1, max: QUERIES_MAX }).meta({
    description: 'The text of the view in each dialect. Dialects that are left out are dropped.',
  }),
  schema: z
    .strictObject({ columns: boundedArray(ColumnInput, { min: 1, max: COLUMNS_LISTED_MAX }) })
    .optional()
    .meta({ description: 'The columns of the query’s result. If absent, they stay unchanged.' }),
  description: Description.nullish(),
  default_namespace: Namespace.optional().meta({
    description: 'For tables that the query names without one; by default the view’s namespace.',
    example: 'aviation',
  }),
}

export const CreateViewRequest = z
  .strictObject({
    name: z.string().meta({ example: 'late_flights' }),
    namespace: Namespace.optional(),
    ...texts,
  })
  .meta({
    id: 'CreateViewRequest',
    example: { name: 'late_flights', namespace: 'aviation', queries: [EXAMPLE_QUERY] },
  })

export const ReplaceViewRequest = z
  .strictObject(texts)
  .meta({ id: 'ReplaceViewRequest', example: { queries: [EXAMPLE_QUERY] } })

export const ListViewsQuery = z.strictObject({
  namespace: Namespace.optional().meta({
    description: 'Only views directly in this namespace; `default` if absent.',
    example: 'aviation',
  }),
  ...PageQuery,
})

const name = {
  name: z.string(),
  namespace: z.string(),
  identifier: z.string().meta({ description: 'Namespace and name, separated by dots.' }),
}
const EXAMPLE_NAME = {
  name: 'late_flights',
  namespace: 'aviation',
  identifier: 'aviation.late_flights',
}

export const ViewListAnswer = z
  .strictObject({ views: z.array(z.strictObject(name)), next_page_token: NextPageToken })
  .meta({ id: 'ViewList', example: { views: [EXAMPLE_NAME], next_page_token: null } })

const VersionId = z.int().meta({ example: 1 })
const EXAMPLE_VERSION = {
  version_id: 1,
  queries: [EXAMPLE_QUERY],
  columns: [EXAMPLE_COLUMN],
  default_namespace: 'aviation',
}

const version = {
  version_id: VersionId,
  queries: z.array(z.strictObject({ dialect: z.string(), sql: z.string() })),
  columns: z.array(Column).meta({ description: 'Empty if the columns were never given.' }),
  default_namespace: z.string(),
}

export const ViewAnswer = z
  .strictObject({
    view_id: z.string(),
    ...name,
    description: z.string().nullable(),
    location: z.string(),
    metadata_location: z.string(),
    created_at: Time,
    updated_at: Time,
    ...version,
    versions: z
      .array(z.strictObject({ created_at: Time, ...version }))
      .meta({ description: 'Newest first; old ones are removed in time.' }),
    history: z
      .array(z.strictObject({ version_id: VersionId, since: Time }))
      .meta({ description: 'When each version became current, newest first.' }),
  })
  .meta({
    id: 'View',
    example: {
      view_id: EXAMPLE_UUID,
      ...EXAMPLE_NAME,
      description: 'Flights that left late.',
      location: EXAMPLE_LOCATION,
      metadata_location: `${EXAMPLE_LOCATION}/metadata/00000-${EXAMPLE_UUID}.metadata.json`,
      created_at: EXAMPLE_TIME,
      updated_at: EXAMPLE_TIME,
      ...EXAMPLE_VERSION,
      versions: [{ created_at: EXAMPLE_TIME, ...EXAMPLE_VERSION }],
      history: [{ version_id: 1, since: EXAMPLE_TIME }],
    },
  })

export const DropViewAnswer = z.strictObject({ view_id: z.string(), identifier: z.string() }).meta({
  id: 'DroppedView',
  example: { view_id: EXAMPLE_UUID, identifier: EXAMPLE_NAME.identifier },
})
