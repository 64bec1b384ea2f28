import { givenSelectors, selectorOf } from '../../http/common-shapes.ts'
import { onTable } from '../../http/permission.ts'
import { acceptDatetime, httpDate } from '../../http/preconditions.ts'
import { requireAccepted } from '../../http/problem.ts'
import { JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { findMemento } from '../../lake/table/memento.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { readingAsJson, readingAsNdjson } from './table-response.ts'
import {
  DataFileAnswer,
  ReadSnapshotQuery,
  ReadTableQuery,
  TableReadingAnswer,
} from './table-shapes.ts'
import { TABLES_TAG } from './table-tags.ts'
import { type ReadDependencies, readTable, type TableReading } from './tables.ts'

const FORMS = [JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, 'application/ndjson']

const ANSWER = {
  status: 200,
  description:
    'The table at that snapshot. `data_files` comes last and is streamed; NDJSON has only the ' +
    'data files, one on each line.',
  shape: TableReadingAnswer,
  alternatives: { [NDJSON_MEDIA_TYPE]: DataFileAnswer },
}
const PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'name-invalid',
  'filter-invalid',
  'not-acceptable',
]

const read = (deps: ReadDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}',
      operationId: 'readTable',
      tag: TABLES_TAG,
      permission: onTable('select'),
      summary: 'Read a table, as of now or of any moment',
      description:
        'Definition, schema, snapshot, and the data files that may have matching rows. Without ' +
        '`as_at`, `snapshot_id` or a tag as `ref` the schema is the current one; with them, the ' +
        'schema of the snapshot.',
      query: ReadTableQuery,
      answers: [
        ANSWER,
        {
          status: 302,
          description: 'With `Accept-Datetime` (RFC 7089): the table as it was then.',
          headers: {
            Location: 'The snapshot that was current, or the first.',
            Link: 'The table as it is now, and all of its snapshots.',
          },
        },
      ],
      problems: [...PROBLEMS, 'as-at-invalid', 'as-at-before-first-snapshot', 'snapshot-not-found'],
      curl:
        'curl -G $MORAINE/v1/tables/aviation.flights --data-urlencode "filter=flight_id = 4242" ' +
        '--data-urlencode "as_at=2024-03-17T23:59:59Z"',
    },
    async ({ param, query, accepts, found, request: { headers }, closed: signal }) => {
      const asked = asking(deps, { found })
      const form = requireAccepted(accepts, FORMS)
      const table = param('table_identifier')
      const secondMs = givenSelectors(query).length === 0 ? acceptDatetime(headers) : undefined
      if (secondMs !== undefined) return mementoReply(asked, table, secondMs)
      const request = { table, filter: query.filter, ...selectorOf(query), signal }
      return readingReply(await readTable(asked, request), form, TIMEGATE_VARY)
    },
  )

/** Whatever is sent from where `Accept-Datetime` is heard (RFC 7089, 2.1.2). */
const TIMEGATE_VARY = 'Accept-Datetime, Accept, Origin'

const readSnapshot = (deps: ReadDependencies) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/{snapshot_identifier}',
      operationId: 'readSnapshot',
      tag: TABLES_TAG,
      permission: onTable('select'),
      summary: 'Read a table at a snapshot',
      description: 'By snapshot id, `latest`, or the name of a branch or tag.',
      query: ReadSnapshotQuery,
      answers: [ANSWER],
      problems: [...PROBLEMS, 'snapshot-not-found'],
      curl: 'curl $MORAINE/v1/tables/aviation.flights/latest',
    },
    async ({ param, query, accepts, found, closed: signal }) => {
      const form = requireAccepted(accepts, FORMS)
      const table = param('table_identifier')
      const selector = selectorOf({ snapshot_id: param('snapshot_identifier') })
      const request = { table, filter: query.filter, ...selector, signal }
      const reading = await readTable(asking(deps, { found }), request)
      const reply = readingReply(reading, form)
      const isPinned = param('snapshot_identifier') === String(reading.snapshot?.snapshotId)
      return isPinned ? { ...reply, headers: { ...reply.headers, ...mementoOf(reading) } } : reply
    },
  )

/** Leads to the snapshot that was current in the second. */
async function mementoReply(
  deps: ReadDependencies,
  table: string,
  secondMs: number,
): Promise<Reply> {
  const state = await getTable(deps.catalog, table)
  const { tableUuid } = state.definition
  const found = await findMemento(deps, state, secondMs)
  const path = `/v1/tables/${tableUuid}`
  const Location = found === undefined ? `${path}/latest` : `${path}/${found.snapshotId}`
  const headers = { Location, Vary: TIMEGATE_VARY, Link: linksOf(tableUuid) }
  return { status: 302, headers: { ...headers, 'Cache-Control': 'private, no-cache' } }
}

/** What tells clients of Memento that a response stays as it is. */
function mementoOf({ state, snapshot }: TableReading): Readonly<Record<string, string>> {
  if (snapshot === undefined) return {}
  const { tableUuid } = state.definition
  return { 'Memento-Datetime': httpDate(snapshot.timestampMs), Link: linksOf(tableUuid) }
}

function linksOf(tableUuid: string): string {
  const path = `/v1/tables/${tableUuid}`
  const map = `<${path}/timemap>; rel="timemap"; type="application/link-format"`
  return `<${path}>; rel="original timegate", ${map}`
}

function readingReply(reading: TableReading, form: string, Vary = 'Accept, Origin'): Reply {
  const common = { status: 200, headers: { Vary } }
  return form === JSON_MEDIA_TYPE
    ? { ...common, mediaType: JSON_MEDIA_TYPE, body: readingAsJson(reading) }
    : { ...common, mediaType: NDJSON_MEDIA_TYPE, body: readingAsNdjson(reading) }
}

export function readingRoutes(deps: ReadDependencies): readonly Route[] {
  return [read(deps), readSnapshot(deps)]
}
