import { z } from 'zod'
import { AGGREGATES } from '../../core/query/bound-query.ts'
import { boundedArray } from '../../http/bounded-shapes.ts'
import {
  AT_MOST_ONE,
  bodySelectors,
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_UUID,
  LongText,
} from '../../http/common-shapes.ts'
import { EXAMPLE_RESULT_COLUMN, ResultColumn, Row, RowFilterText } from './rows-shapes.ts'

const COLUMNS_MAX = 2_000
const AGGREGATES_MAX = 200
const NAME_LENGTH_MAX = 1_000
const SQL_LENGTH_MAX = 32_768

export const SqlText = z.string().min(1).max(SQL_LENGTH_MAX)
const ColumnName = z.string().min(1).max(NAME_LENGTH_MAX)
const Names = boundedArray(ColumnName, { max: COLUMNS_MAX })
const Count = z.number().int().min(0)

export const QuerySourceShape = z
  .strictObject({
    table: z.string().min(1).max(4_000).meta({
      description: 'As in `/v1/tables/{table_identifier}`.',
      example: 'aviation.flights',
    }),
    ...bodySelectors,
  })
  .refine(...AT_MOST_ONE)
  .meta({ id: 'QuerySource', example: { table: 'aviation.flights' } })

const AggregateShape = z
  .strictObject({
    function: z.enum(AGGREGATES).meta({ example: 'sum' }),
    column: ColumnName.optional().meta({
      description: 'Left out only of `count`, which counts rows then.',
      example: 'delay',
    }),
    as: ColumnName.optional().meta({
      description: 'Its name in the result: by default `count`, or like `sum_delay`.',
      example: 'delays',
    }),
  })
  .meta({ example: { function: 'sum', column: 'delay', as: 'delays' } })

const OrderShape = z
  .strictObject({
    column: ColumnName.meta({ example: 'delays' }),
    direction: z.enum(['asc', 'desc']).optional().meta({ example: 'desc' }),
    nulls: z.enum(['first', 'last']).optional().meta({ description: '`last` by default.' }),
  })
  .meta({ example: { column: 'delays', direction: 'desc' } })

const EXAMPLE_QUERY = {
  source: { table: 'aviation.flights' },
  filter: "departed_at >= '2024-01-01'",
  group_by: ['origin'],
  aggregates: [{ function: 'count' }, { function: 'avg', column: 'delay', as: 'delay' }],
  order_by: [{ column: 'count', direction: 'desc' }],
  limit: 10,
}

/** A query but its source. */
const structured = {
  columns: Names.optional().meta({
    description: 'All by default; in a query of groups, those of `group_by`.',
    example: ['flight_id', 'origin'],
  }),
  filter: RowFilterText.optional(),
  group_by: Names.optional().meta({
    description: 'One row for each combination of values; with aggregates alone, one row.',
    example: ['origin'],
  }),
  aggregates: boundedArray(AggregateShape, { max: AGGREGATES_MAX })
    .optional()
    .meta({
      description:
        'A sum of integers is a decimal of 38 digits, one of floating point is added in the ' +
        'order of the table. `approx_count_distinct` is off by a tenth ' +
        'as a rule, and at times by more than a third.',
    }),
  order_by: boundedArray(OrderShape, { max: COLUMNS_MAX }).optional(),
  limit: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().meta({ example: 10 }),
}

/** A query of one table, by names. */
export const StructuredQueryShape = z
  .strictObject({ source: QuerySourceShape, ...structured })
  .meta({ id: 'StructuredQuery', example: EXAMPLE_QUERY })

export type StructuredQuery = z.output<typeof StructuredQueryShape>

export const QueryRequestShape = z
  .strictObject({
    source: QuerySourceShape.optional(),
    sql: SqlText.optional().meta({
      description:
        'One SELECT of DuckDB’s dialect over tables, instead of everything else. `FROM ' +
        'sky.planets AT (TIMESTAMP => ...)` or `AT (VERSION => ...)` is an older snapshot.',
      example: 'SELECT origin, count(*) AS flights FROM aviation.flights GROUP BY origin',
    }),
    ...structured,
  })
  .refine(({ sql, source }) => (sql === undefined) !== (source === undefined), {
    message: 'give source or sql',
  })
  .refine((body) => body.sql === undefined || Object.keys(body).length === 1, {
    message: 'nothing stands beside sql',
  })
  .meta({ id: 'QueryRequest', example: EXAMPLE_QUERY })

export type QueryBody = z.output<typeof QueryRequestShape>

export const QueryParameters = z.strictObject({
  inline: z.enum(['require']).optional().meta({
    description:
      '`require`: the result in the response, or at once 413 `result-too-large` with the estimate.',
  }),
  format: z.enum(['json', 'ndjson', 'csv']).optional().meta({
    description: 'Instead of `Accept`.',
    example: 'json',
  }),
})

const EXAMPLE_SOURCE = { table_uuid: EXAMPLE_UUID, snapshot_id: EXAMPLE_SNAPSHOT_ID }

const QueriedSnapshot = z
  .strictObject({
    table_uuid: z.string().meta({ example: EXAMPLE_UUID }),
    snapshot_id: LongText.nullable().meta({
      description: 'The snapshot that was read; null if the table has none yet.',
      example: EXAMPLE_SNAPSHOT_ID,
    }),
  })
  .meta({ id: 'QueriedSnapshot', example: EXAMPLE_SOURCE })

const EXAMPLE_ANSWER = {
  sources: [EXAMPLE_SOURCE],
  columns: [{ name: 'origin', type: 'string' }, EXAMPLE_RESULT_COLUMN],
  rows: [{ origin: 'LHR', flight_id: 4242 }],
}

export const QueryAnswer = z
  .strictObject({
    sources: z.array(QueriedSnapshot),
    columns: z.array(ResultColumn),
    rows: z.array(Row),
  })
  .meta({ id: 'QueryResult', example: EXAMPLE_ANSWER })

const EXAMPLE_ESTIMATE = {
  sources: [EXAMPLE_SOURCE],
  rows: { min: 0, max: 120_000 },
  bytes: 1_480_000,
  files: 2,
  files_skipped: 998,
  would: 'dataset',
  cost: 2_528_576,
}

export const EstimateAnswer = z
  .strictObject({
    sources: z.array(QueriedSnapshot),
    rows: z.strictObject({ min: Count, max: Count.nullable() }).meta({
      description: 'Rows of the result: not fewer, not more. `max` is null for SQL.',
      example: { min: 0, max: 9 },
    }),
    bytes: Count.meta({ description: 'Compressed bytes of the columns to read.' }),
    files: Count.meta({ description: 'Data files to read.' }),
    files_skipped: Count.meta({ description: 'Data files that the filter leaves out.' }),
    would: z.enum(['inline', 'dataset']).meta({
      description: 'Whether the result is surely small enough to come in the response.',
    }),
    cost: Count.meta({ description: 'Bytes it counts for; a file counts for 1 MiB at least.' }),
  })
  .meta({ id: 'QueryEstimate', example: EXAMPLE_ESTIMATE })
