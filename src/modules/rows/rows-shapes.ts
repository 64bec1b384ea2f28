import { z } from 'zod'
import {
  AT_MOST_ONE,
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_UUID,
  LongText,
  NextPageToken,
  QueryMoment,
  RefInput,
  SnapshotIdInput,
} from '../../http/common-shapes.ts'

const LIMIT_MAX = 10_000
const LIMIT_DEFAULT = 100
const LIST_LENGTH_MAX = 50_000
const TOKEN_LENGTH_MAX = 4_000

export const RowFilterText = z
  .string()
  .max(50_000)
  .meta({
    description:
      'The rows to return, exactly. The grammar of the filter of a table’s files: `= != <> < ' +
      "<= > >=`, `IN`, `NOT IN`, `BETWEEN`, `IS [NOT] NULL`, `LIKE 'abc%'`, `AND`, `OR`, `NOT`, " +
      'parentheses; a comma means AND.',
    example: "origin = 'LHR' AND departed_at >= '2024-01-01'",
  })

export const RowsQuery = z
  .strictObject({
    columns: z
      .string()
      .max(LIST_LENGTH_MAX)
      .optional()
      .meta({
        description:
          'Columns in the order of the result, separated by commas; a name with a comma stands ' +
          'in double quotes. A dotted name is a member of a struct. All by default.',
        example: 'flight_id,origin',
      }),
    filter: RowFilterText.optional(),
    order_by: z
      .string()
      .max(LIST_LENGTH_MAX)
      .optional()
      .meta({
        description:
          'Columns to order by, each with `asc` or `desc`, and `nulls first` or `nulls last` ' +
          '(the default), separated by commas. Without it, rows come in the order of the table, ' +
          'and only as many files are read as the page needs.',
        example: 'departed_at desc',
      }),
    limit: z.coerce
      .number<string>({ error: `must be an integer from 1 to ${LIMIT_MAX}` })
      .int()
      .min(1)
      .max(LIMIT_MAX)
      .default(LIMIT_DEFAULT)
      .meta({ description: 'Maximum number of rows to return.', example: 100 }),
    after: z
      .string()
      .max(TOKEN_LENGTH_MAX)
      .optional()
      .meta({
        description:
          '`next_page_token` of the page before, with the same columns, filter and order. It ' +
          'names the snapshot, so that pages fit together whatever is committed in between.',
      }),
    format: z.enum(['json', 'ndjson', 'csv']).optional().meta({
      description: 'Instead of `Accept`.',
      example: 'json',
    }),
    as_at: QueryMoment.optional(),
    snapshot_id: SnapshotIdInput.optional(),
    ref: RefInput.optional(),
  })
  .refine(...AT_MOST_ONE)

export const EXAMPLE_RESULT_COLUMN = { name: 'flight_id', type: 'long' }

export const ResultColumn = z
  .strictObject({
    name: z.string().meta({ example: 'flight_id' }),
    type: z.unknown().meta({
      description: 'An Iceberg type by name, or Iceberg JSON of a nested type.',
      example: 'long',
    }),
  })
  .meta({ id: 'ResultColumn', example: EXAMPLE_RESULT_COLUMN })

export const Row = z.record(z.string(), z.unknown()).meta({
  description:
    'One row, by column. Values are written as in dumps: 64-bit integers as numbers, decimals as ' +
    'text, binary as Base64, times as RFC 3339.',
  example: { flight_id: 4242, origin: 'LHR' },
})

export const RowsAnswer = z
  .strictObject({
    table_uuid: z.string().meta({ example: EXAMPLE_UUID }),
    snapshot_id: LongText.nullable().meta({
      description: 'The snapshot that was read; null if the table has none yet.',
      example: EXAMPLE_SNAPSHOT_ID,
    }),
    columns: z.array(ResultColumn),
    next_page_token: NextPageToken.meta({
      description: 'For `after`; null if no row follows. A page after it may be empty.',
      example: null,
    }),
    rows: z.array(Row),
  })
  .meta({
    id: 'Rows',
    example: {
      table_uuid: EXAMPLE_UUID,
      snapshot_id: EXAMPLE_SNAPSHOT_ID,
      columns: [EXAMPLE_RESULT_COLUMN, { name: 'origin', type: 'string' }],
      next_page_token: null,
      rows: [{ flight_id: 4242, origin: 'LHR' }],
    },
  })
