import { z } from 'zod'
import type { Stores } from '../../catalog/catalog.ts'
import { QueryMoment, timeText } from '../../http/common-shapes.ts'
import { pageToken, parsePageToken } from '../../http/page-token.ts'
import { onTable } from '../../http/permission.ts'
import { httpDate } from '../../http/preconditions.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { pageSnapshotLog } from './list-snapshots.ts'
import { snapshotToJson } from './table-response.ts'
import { SnapshotLogAnswer, SnapshotLogQuery } from './table-shapes.ts'
import { TABLES_TAG } from './table-tags.ts'

const LogPosition = z.tuple([z.int()])
const TimemapQuery = z.strictObject({ before: QueryMoment.optional() })

const list = (deps: Stores<'tables' | 'snapshots'>) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/snapshots',
      operationId: 'listSnapshots',
      tag: TABLES_TAG,
      permission: onTable('describe'),
      summary: 'List the snapshot log, newest first',
      description:
        'When each snapshot became current. A rollback makes an older one current again.',
      query: SnapshotLogQuery,
      answers: [{ status: 200, description: 'One page of the log.', shape: SnapshotLogAnswer }],
      problems: ['table-not-found', 'name-invalid', 'as-at-invalid', 'page-token-invalid'],
      curl: 'curl "$MORAINE/v1/tables/aviation.flights/snapshots?after=2024-03-01"',
    },
    async ({ param, query, found }) => {
      const { state, entries, nextBeforeMs } = await pageSnapshotLog(asking(deps, { found }), {
        table: param('table_identifier'),
        beforeMs: earliest(query.before, query.page_token),
        afterMs: query.after,
        limit: query.page_size,
      })
      const currentId = state.currentSnapshot?.snapshotId
      return jsonReply({
        snapshots: entries.map(({ timestampMs, snapshotId, snapshot }) => ({
          logged_at: timeText(timestampMs),
          is_current: snapshotId === currentId,
          ...snapshotToJson({ ...snapshot, summary: withoutValues(snapshot.summary) }),
        })),
        next_page_token: nextBeforeMs === undefined ? null : pageToken([nextBeforeMs]),
      })
    },
  )

/** Mementos on one page. */
const TIMEMAP_MAX = 1_000

const timemap = (deps: Stores<'tables' | 'snapshots'>) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/timemap',
      operationId: 'getTimemap',
      tag: TABLES_TAG,
      permission: onTable('describe'),
      summary: 'List the snapshots of a table as a TimeMap of Memento',
      description:
        'As RFC 7089 has it: when each snapshot became current, newest first, and the TimeMap of ' +
        'those before. `Accept-Datetime` at the table, or at its dump, leads to one of them.',
      query: TimemapQuery,
      answers: [
        {
          status: 200,
          description: 'Links, one on each line.',
          shape: z.string(),
          mediaType: 'application/link-format',
        },
      ],
      problems: ['table-not-found', 'name-invalid', 'as-at-invalid'],
      curl: 'curl $MORAINE/v1/tables/aviation.flights/timemap',
    },
    async ({ param, query, found }) => {
      const { state, entries, nextBeforeMs } = await pageSnapshotLog(asking(deps, { found }), {
        table: param('table_identifier'),
        beforeMs: query.before,
        afterMs: undefined,
        limit: TIMEMAP_MAX,
      })
      const path = `/v1/tables/${state.definition.tableUuid}`
      const older = `<${path}/timemap?before=${nextBeforeMs}>; rel="timemap"`
      const links = [
        `<${path}>; rel="original timegate"`,
        `<${path}/timemap>; rel="self"; type="application/link-format"`,
        ...entries.map(
          ({ timestampMs, snapshotId }) =>
            `<${path}/${snapshotId}>; rel="memento"; datetime="${httpDate(timestampMs)}"`,
        ),
        ...(nextBeforeMs === undefined ? [] : [older]),
      ]
      const body = `${links.join(',\n')}\n`
      return { status: 200, mediaType: 'application/link-format', body }
    },
  )

/** Who may only describe the table is told no values of its rows. */
function withoutValues(summary: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(summary).filter(([name]) => !name.startsWith('partitions.'))
  return Object.fromEntries(entries)
}

function earliest(beforeMs: number | undefined, token: string | undefined): number | undefined {
  if (token === undefined) return beforeMs
  const [position] = parsePageToken(token, LogPosition)
  return beforeMs === undefined ? position : Math.min(beforeMs, position)
}

export function snapshotRoutes(deps: Stores<'tables' | 'snapshots'>): readonly Route[] {
  return [list(deps), timemap(deps)]
}
