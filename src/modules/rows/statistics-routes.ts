import { z } from 'zod'
import { describeColumns } from '../../core/schema/column-definition.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import {
  AT_MOST_ONE,
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_UUID,
  LongText,
  QueryMoment,
  RefInput,
  SnapshotIdInput,
  selectorOf,
} from '../../http/common-shapes.ts'
import { onTable } from '../../http/permission.ts'
import { JSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import {
  type DescribedColumn,
  STATISTICS,
  type StatisticName,
  type StatisticsOfColumns,
} from './column-statistics.ts'
import type { QueryLimits } from './limits/query-limits.ts'
import { snapshotIdOf } from './query-source.ts'
import { READING_PROBLEMS, ROWS_TAG } from './rows-routes.ts'
import { EXAMPLE_RESULT_COLUMN, ResultColumn } from './rows-shapes.ts'
import type { RowStreams } from './rows-stream.ts'

const StatisticsQuery = z
  .strictObject({
    as_at: QueryMoment.optional(),
    snapshot_id: SnapshotIdInput.optional(),
    ref: RefInput.optional(),
    only: z
      .string()
      .max(200)
      .transform((text) => text.split(',').map((name) => name.trim()))
      .pipe(z.array(z.enum(STATISTICS)))
      .optional()
      .meta({
        description:
          'The members that are wanted, separated by commas; all by default. Manifests often ' +
          'tell `rows`, `nulls`, `least` and `greatest`, so that no file is read.',
        example: 'rows,nulls,least,greatest',
      }),
  })
  .refine(...AT_MOST_ONE)

const Count = z.union([z.int(), z.bigint()])
const Value = z.unknown().meta({ description: 'As dumps write it.', example: 4242 })

const EXAMPLE_STATISTICS = {
  table_uuid: EXAMPLE_UUID,
  snapshot_id: EXAMPLE_SNAPSHOT_ID,
  column: EXAMPLE_RESULT_COLUMN,
  from: 'files',
  rows: 3,
  nulls: 1,
  nans: null,
  distinct: { count: 2, is_approximate: false },
  least: 7,
  greatest: 4242,
  histogram: null,
  top_values: [
    { value: 7, rows: 1 },
    { value: 4242, rows: 1 },
  ],
}

const StatisticsAnswer = z
  .strictObject({
    table_uuid: z.string().meta({ example: EXAMPLE_UUID }),
    snapshot_id: LongText.nullable().meta({ example: EXAMPLE_SNAPSHOT_ID }),
    column: ResultColumn,
    from: z.enum(['manifests', 'files']).meta({
      description: 'Where they were found: in manifests alone, or in the values.',
      example: 'files',
    }),
    rows: Count.optional(),
    nulls: Count.optional(),
    nans: Count.nullable().optional().meta({
      description: 'Of floating point; no other value counts them.',
    }),
    distinct: z
      .strictObject({ count: Count, is_approximate: z.boolean() })
      .optional()
      .meta({
        description:
          'Exact for snapshots whose files have at most 100,000 rows. Else approximate: off by ' +
          'a tenth as a rule, at times by more than a third, but never more than the rows ' +
          'without nulls.',
        example: EXAMPLE_STATISTICS.distinct,
      }),
    least: Value.optional(),
    greatest: Value.optional(),
    histogram: z
      .strictObject({ counts: z.array(Count) })
      .nullable()
      .optional()
      .meta({
        description:
          'Rows in 20 bins of one width from the least to the greatest value, of columns of ' +
          'numbers and times with more than 20 values.',
        example: null,
      }),
    top_values: z
      .array(z.strictObject({ value: Value, rows: Count }))
      .nullable()
      .optional()
      .meta({
        description: 'The most frequent values, of columns with at most 10,000.',
        example: EXAMPLE_STATISTICS.top_values,
      }),
  })
  .meta({ id: 'ColumnStatistics', example: EXAMPLE_STATISTICS })

const columnStatistics = (columns: StatisticsOfColumns, { limits, streams }: StatisticsOptions) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/columns/{column}/statistics',
      parameters: { column: 'The name of a column, or the dotted one of a member of a struct.' },
      operationId: 'columnStatistics',
      tag: ROWS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Statistics of a column',
      description:
        'No file is read where manifests tell exactly what is asked for (`only`; without it, of ' +
        'columns with one value or none). Else the values are read once for a snapshot, and the ' +
        'answer is kept in memory.',
      query: StatisticsQuery,
      standingHeaders: limits.headers,
      answers: [{ status: 200, description: 'The statistics.', shape: StatisticsAnswer }],
      problems: READING_PROBLEMS.filter((code) => code !== 'not-acceptable'),
      curl: 'curl $MORAINE/v1/tables/aviation.flights/columns/origin/statistics',
    },
    async (call) => {
      const { param, query, authorizeFound, policyOn } = call
      call.requireOwnSite()
      const table = param('table_identifier')
      const asked = {
        table,
        column: param('column'),
        selector: selectorOf(query),
        only: query.only ?? STATISTICS,
        authorizeFound,
        policyOn,
        signal: call.closed,
      }
      const reply = (found: DescribedColumn, headers: Reply['headers'] = {}) => {
        const text = stringifyExactJson(statisticsJson(found, asked.only))
        streams.holdText(text, call.closed)
        return { status: 200, mediaType: JSON_MEDIA_TYPE, body: text, headers }
      }
      const known = await columns.findKnown(asked)
      if (known !== undefined) return reply(known)
      const told = await limits.prepare(call, () => columns.fromManifests(asked))
      if (told !== undefined) return reply(told)
      const { value: found, headers } = await limits.inTurn(call, 0, (onRead) =>
        columns.describe({ ...asked, onRead }),
      )
      return reply(found, headers)
    },
  )

function statisticsJson(
  { source, name, type, statistics, from }: DescribedColumn,
  only: readonly StatisticName[],
) {
  const field = { id: 1, name, required: false, type }
  const [described] = describeColumns({ fields: [field] })
  const wanted = STATISTICS.filter((each) => only.includes(each))
  return {
    table_uuid: source.state.definition.tableUuid,
    snapshot_id: snapshotIdOf(source),
    column: { name, type: described?.type },
    from,
    ...Object.fromEntries(wanted.map((each) => [each, statistics[each]])),
  }
}

interface StatisticsOptions {
  readonly limits: QueryLimits
  readonly streams: RowStreams
}

export function statisticsRoutes(
  columns: StatisticsOfColumns,
  options: StatisticsOptions,
): readonly Route[] {
  return [columnStatistics(columns, options)]
}
