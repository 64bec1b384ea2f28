import { selectorOf } from '../../http/common-shapes.ts'
import { onTable } from '../../http/permission.ts'
import { NDJSON_MEDIA_TYPE } from '../../http/reply.ts'
import { type AnswerDoc, defineRoute, type Route, type Tag } from '../../http/route.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { askerOf, type QueryLimits } from './limits/query-limits.ts'
import { parseNames, parseOrder } from './name-list.ts'
import { type RowsDependencies, snapshotIdOf } from './query-source.ts'
import { type RowsPage, readRows } from './read-rows.ts'
import { CSV_MEDIA_TYPE, chooseForm, formatOf, resultColumns } from './rows-response.ts'
import { Row, RowsAnswer, RowsQuery } from './rows-shapes.ts'
import type { RowStreams } from './rows-stream.ts'

export const ROWS_TAG: Tag = {
  name: 'Rows and queries',
  description: 'Looking at rows, and asking questions of a snapshot.',
}

/** Problems of reading the rows of data files. */
export const READING_PROBLEMS: readonly ProblemCode[] = [
  'table-not-found',
  'name-invalid',
  'filter-invalid',
  'query-invalid',
  'as-at-invalid',
  'as-at-before-first-snapshot',
  'snapshot-not-found',
  'query-too-costly',
  'result-too-large',
  'not-acceptable',
  'not-implemented',
  'data-file-missing',
  'data-file-changed',
  'file-corrupt',
  'file-unsupported',
  'location-not-allowed',
  'engine-failed',
  'overloaded',
  'quota-exceeded',
  'storage-full',
]

const ANSWER: AnswerDoc = {
  status: 200,
  description:
    'The rows. In every form, `Link` with `rel="next"` is the address of the next page, if there ' +
    'is one, and `Moraine-Snapshot-Id` the snapshot.',
  shape: RowsAnswer,
  alternatives: { [NDJSON_MEDIA_TYPE]: Row, [CSV_MEDIA_TYPE]: Row },
}

export type LimitedDependencies = RowsDependencies & { readonly limits: QueryLimits }

const rows = (deps: LimitedDependencies, streams: RowStreams) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/tables/{table_identifier}/rows',
      operationId: 'readRows',
      tag: ROWS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Read rows of a table, as of now or of any moment',
      description:
        'Exactly the rows that match, page by page. The snapshot is fixed by the first page, so ' +
        'no row is skipped or repeated whatever is committed in between.',
      query: RowsQuery,
      standingHeaders: deps.limits.headers,
      answers: [ANSWER],
      problems: [...READING_PROBLEMS, 'page-token-invalid'],
      curl:
        'curl -G $MORAINE/v1/tables/aviation.flights/rows -d limit=10 ' +
        '--data-urlencode "filter=origin = \'LHR\'"',
    },
    async (call) => {
      call.requireOwnSite()
      const { query } = call
      const form = chooseForm(query.format, call.accepts)
      const { columns, filter, limit, after, order_by: order } = query
      const { closed } = call
      return await streams.withParts({ asker: askerOf(call), closed }, async (parts) => {
        // What a page reads is known only once it has its rows, and is little without an order.
        const { value: page, headers } = await deps.limits.inTurn(call, 0, (onRead) =>
          readRows(deps, {
            table: call.param('table_identifier'),
            selector: selectorOf(query),
            columns: columns === undefined ? undefined : parseNames(columns, 'columns'),
            filter,
            orderBy: order === undefined ? undefined : parseOrder(order, 'order_by'),
            limit,
            after,
            authorizeFound: call.authorizeFound,
            policyOn: call.policyOn,
            format: formatOf(form),
            signal: closed,
            onRead,
            parts,
          }),
        )
        const { result } = page.query
        const members = membersOf(page)
        const all = { ...headers, ...headersOf(page, call.request.url ?? '') }
        return await parts.reply(form, { result, members, headers: all }, closed)
      })
    },
  )

function membersOf({ source, query, nextPageToken }: RowsPage) {
  return {
    table_uuid: source.state.definition.tableUuid,
    snapshot_id: snapshotIdOf(source),
    columns: resultColumns(query.result),
    next_page_token: nextPageToken,
  }
}

/** The address of the next page is relative: a proxy may have changed what is before the query. */
function headersOf({ source, nextPageToken }: RowsPage, url: string): Record<string, string> {
  const snapshotId = snapshotIdOf(source)
  const headers: Record<string, string> = {}
  if (snapshotId !== null) headers['Moraine-Snapshot-Id'] = snapshotId
  if (nextPageToken === null) return headers
  const parameters = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
  parameters.set('after', nextPageToken)
  headers['Link'] = `<?${parameters}>; rel="next"`
  return headers
}

export function rowsRoutes(deps: LimitedDependencies, streams: RowStreams): readonly Route[] {
  return [rows(deps, streams)]
}
