import { z } from 'zod'
import { EXAMPLE_SNAPSHOT_ID, EXAMPLE_UUID, LongText } from '../../http/common-shapes.ts'
import { onTable } from '../../http/permission.ts'
import { jsonReply, NDJSON_MEDIA_TYPE } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import { costOfFiles } from './estimate.ts'
import { askerOf } from './limits/query-limits.ts'
import { snapshotIdOf } from './query-source.ts'
import { CSV_MEDIA_TYPE, chooseForm, formatOf, resultColumns } from './rows-response.ts'
import { type LimitedDependencies, READING_PROBLEMS, ROWS_TAG } from './rows-routes.ts'
import { ResultColumn, Row } from './rows-shapes.ts'
import type { RowStreams } from './rows-stream.ts'
import {
  type Counts,
  diffSchemas,
  diffSnapshots,
  readChanges,
  type SnapshotDiff,
} from './snapshot-diff.ts'

const Moment = z.string().min(1).max(1_000)
const DiffQuery = z.strictObject({
  from: Moment.meta({
    description: 'A snapshot id, the name of a branch or tag, or a time.',
    example: EXAMPLE_SNAPSHOT_ID,
  }),
  to: Moment.default('latest').meta({ description: 'As `from`; `latest` by default.' }),
  rows: z.enum(['true', 'false']).optional().meta({
    description: 'Whether to return the rows that differ, instead of their numbers.',
    example: 'false',
  }),
  format: z.enum(['json', 'ndjson', 'csv']).optional().meta({
    description: 'Of rows: instead of `Accept`.',
    example: 'json',
  }),
})

const Count = z.number().int().min(0)
const SnapshotId = LongText.nullable().meta({ example: EXAMPLE_SNAPSHOT_ID })
const CountsMembers = {
  files_added: Count,
  files_removed: Count,
  rows_added: Count.nullable().meta({
    description: 'Rows of those files; null if only reading the delete files tells.',
  }),
  rows_removed: Count.nullable(),
}
const Names = z.array(z.string()).meta({ example: [] })

const EXAMPLE_COUNTS = { files_added: 1, files_removed: 0, rows_added: 10, rows_removed: 0 }
const EXAMPLE_DIFF = {
  table_uuid: EXAMPLE_UUID,
  from: '1234567890',
  to: EXAMPLE_SNAPSHOT_ID,
  schema: { added: ['delay'], removed: [], renamed: [], retyped: [] },
  ...EXAMPLE_COUNTS,
  partitions: [{ partition: { departed_at_day: '2024-03-17' }, ...EXAMPLE_COUNTS }],
  partitions_cut: false,
}

const DiffAnswer = z
  .strictObject({
    table_uuid: z.string(),
    from: SnapshotId,
    to: SnapshotId,
    schema: z
      .strictObject({
        added: Names,
        removed: Names,
        renamed: z.array(z.strictObject({ from: z.string(), to: z.string() })),
        retyped: z.array(z.strictObject({ column: z.string(), from: z.string(), to: z.string() })),
      })
      .meta({ description: 'Top-level columns.', example: EXAMPLE_DIFF.schema }),
    ...CountsMembers,
    partitions: z
      .array(z.strictObject({ partition: z.record(z.string(), z.unknown()), ...CountsMembers }))
      .meta({ description: 'The first 1,000.', example: EXAMPLE_DIFF.partitions }),
    partitions_cut: z.boolean(),
  })
  .meta({ id: 'SnapshotDiff', example: EXAMPLE_DIFF })

const ChangesAnswer = z
  .strictObject({
    table_uuid: z.string(),
    from: SnapshotId,
    to: SnapshotId,
    columns: z.array(ResultColumn),
    rows: z.array(Row),
  })
  .meta({
    id: 'SnapshotChanges',
    example: {
      table_uuid: EXAMPLE_UUID,
      from: '1234567890',
      to: EXAMPLE_SNAPSHOT_ID,
      columns: [{ name: '_change', type: 'string' }],
      rows: [{ _change: 'insert', flight_id: 4242 }],
    },
  })

const DiffReply = z
  .union([DiffAnswer, ChangesAnswer])
  .meta({ id: 'SnapshotDiffOrChanges', example: EXAMPLE_DIFF })

const diff = (deps: LimitedDependencies, streams: RowStreams) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/diff',
      operationId: 'diffSnapshots',
      tag: ROWS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'What differs between two snapshots',
      description:
        'Columns, files and rows, by partition, from manifests: a row that was only written ' +
        'again counts for both sides. With `rows=true` the rows that differ are read, each with ' +
        '`_change`, `insert` or `delete`; those that were only written again are left out. They ' +
        'are sent from a file, however many they are.',
      query: DiffQuery,
      standingHeaders: deps.limits.headers,
      answers: [
        {
          status: 200,
          description: 'The difference, or the rows that differ.',
          shape: DiffReply,
          alternatives: { [NDJSON_MEDIA_TYPE]: Row, [CSV_MEDIA_TYPE]: Row },
        },
      ],
      problems: READING_PROBLEMS,
      curl: 'curl "$MORAINE/v1/tables/aviation.flights/diff?from=2024-03-16&to=latest"',
    },
    async (call) => {
      call.requireOwnSite()
      const { rows, format, from, to } = call.query
      const { authorizeFound, policyOn, closed: signal } = call
      const table = call.param('table_identifier')
      const reader = { authorizeFound, policyOn }
      const asked = { table, from, to, keepsFiles: rows === 'true', ...reader, signal }
      // It reads no data, and much metadata: it counts as what comes before a query.
      const found = await deps.limits.prepare(call, () => diffSnapshots(deps, asked))
      const isRestricted = found.to.restriction !== 'unrestricted'
      if (rows !== 'true') {
        if (isRestricted) throw countsWithheld(table)
        return jsonReply(diffJson(found))
      }
      const form = chooseForm(format, call.accepts)
      const cost = isRestricted ? costOfFiles(filesOf(found)) : bytesOf(found)
      const { principal, request, closed } = call
      const asker = askerOf({ principal, request })
      return await streams.withPlace({ asker, closed }, async ({ signal, onWrite, reply }) => {
        const reading = { format: formatOf(form), signal, onWrite }
        const { value: changes, headers } = await deps.limits.inTurn(
          { principal, request, closed: signal },
          cost,
          (onRead) => readChanges(deps, found, { ...reading, onRead }),
        )
        const { schema: result, file } = changes
        const members = { ...endsOf(found), columns: resultColumns(result) }
        return await reply(form, { result, members, headers, file })
      })
    },
  )

/** Bytes of the files that differ. */
function bytesOf(found: SnapshotDiff): number {
  return filesOf(found).reduce((sum, { dataFile }) => sum + dataFile.fileSizeBytes, 0)
}

function filesOf({ added, removed }: SnapshotDiff) {
  return [...added, ...removed]
}

function countsWithheld(table: string): ProblemError {
  const detail =
    `A policy withholds rows or columns of ${table} from you, and counts are those of all rows: ` +
    'ask with rows=true for the rows that differ'
  return new ProblemError('table-restricted', detail, { facts: { table } })
}

function endsOf({ from, to }: SnapshotDiff) {
  return {
    table_uuid: to.state.definition.tableUuid,
    from: snapshotIdOf(from),
    to: snapshotIdOf(to),
  }
}

function diffJson(found: SnapshotDiff) {
  return {
    ...endsOf(found),
    schema: diffSchemas(found.from.schema, found.to.schema),
    ...countsJson(found.total),
    partitions: found.partitions.map(({ partition, ...counts }) => {
      return { partition, ...countsJson(counts) }
    }),
    partitions_cut: found.arePartitionsCut,
  }
}

function countsJson({ filesAdded, filesRemoved, rowsAdded, rowsRemoved }: Counts) {
  return {
    files_added: filesAdded,
    files_removed: filesRemoved,
    rows_added: rowsAdded ?? null,
    rows_removed: rowsRemoved ?? null,
  }
}

export function diffRoutes(deps: LimitedDependencies, streams: RowStreams): readonly Route[] {
  return [diff(deps, streams)]
}
