import { parsePrefer } from '../../http/prefer.ts'
import { jsonReply, NDJSON_MEDIA_TYPE } from '../../http/reply.ts'
import { type AnswerDoc, defineRoute, type Route } from '../../http/route.ts'
import { EstimateAnswer, QueryAnswer, QueryParameters, QueryRequestShape } from './query-shapes.ts'
import type { RowsDependencies } from './query-source.ts'
import { CSV_MEDIA_TYPE, chooseForm, resultColumns, rowsReply } from './rows-response.ts'
import { READING_PROBLEMS, ROWS_TAG } from './rows-routes.ts'
import { Row } from './rows-shapes.ts'
import { estimateJson, prepareQuery, runInline, sourcesJson } from './run-query.ts'

const ANSWER: AnswerDoc = {
  status: 200,
  description: 'The result.',
  shape: QueryAnswer,
  alternatives: { [NDJSON_MEDIA_TYPE]: Row, [CSV_MEDIA_TYPE]: Row },
}

const query = (deps: RowsDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/query',
      operationId: 'query',
      tag: ROWS_TAG,
      permission: 'in-use-case',
      summary: 'Ask a question of a snapshot of a table',
      description:
        'Rows, groups of them, or what a SELECT gives. A result of at most ' +
        '10,000 rows and 8 MiB comes in the ' +
        'response. One that may be larger is tried for as long as `Prefer: wait=N` says, at most ' +
        '10 seconds; with `Prefer: respond-async` or `inline=require` it is not tried.',
      query: QueryParameters,
      body: QueryRequestShape,
      changesNothing: true,
      answers: [ANSWER],
      problems: READING_PROBLEMS,
      curl:
        `curl $MORAINE/v1/query --json '{"source": {"table": "aviation.flights"}, ` +
        `"group_by": ["origin"], "aggregates": [{"function": "count"}]}'`,
    },
    async (call) => {
      const { body, query: parameters, closed } = call
      const form = chooseForm(parameters.format, call.accepts)
      const prepared = await prepareQuery(deps, body, call)
      const { bytes, result } = await runInline(deps, prepared, {
        form,
        preferences: parsePrefer(call.request.headers['prefer']),
        isInlineRequired: parameters.inline === 'require',
        closed,
      })
      const sources = sourcesJson(prepared.tables)
      const members = { sources, columns: resultColumns(result) }
      return rowsReply(form, { result, pieces: [bytes], members, headers: {} })
    },
  )

const estimate = (deps: RowsDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/query/estimate',
      operationId: 'estimateQuery',
      tag: ROWS_TAG,
      permission: 'in-use-case',
      summary: 'Estimate what a query reads and returns',
      description: 'From manifests: no data file is read.',
      body: QueryRequestShape,
      changesNothing: true,
      answers: [{ status: 200, description: 'The estimate.', shape: EstimateAnswer }],
      problems: [
        'table-not-found',
        'name-invalid',
        'filter-invalid',
        'query-invalid',
        'as-at-invalid',
        'as-at-before-first-snapshot',
        'snapshot-not-found',
        'location-not-allowed',
        'query-too-costly',
        'engine-failed',
        'overloaded',
        'storage-full',
      ],
      curl:
        `curl $MORAINE/v1/query/estimate --json '{"source": {"table": "aviation.flights"}, ` +
        `"filter": "flight_id = 4242"}'`,
    },
    async (call) => jsonReply(estimateJson(await prepareQuery(deps, call.body, call))),
  )

export function queryRoutes(deps: RowsDependencies): readonly Route[] {
  return [query(deps), estimate(deps)]
}
