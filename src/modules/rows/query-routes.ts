import { z } from 'zod'
import { CatalogError } from '../../core/errors.ts'
import { selectorOf } from '../../http/common-shapes.ts'
import { type Preferences, parsePrefer, Wait } from '../../http/prefer.ts'
import { jsonReply, NDJSON_MEDIA_TYPE, type Reply } from '../../http/reply.ts'
import { type AnswerDoc, type Call, defineRoute, type Route } from '../../http/route.ts'
import type { AnswerLater } from './answer-later.ts'
import { inTime } from './in-time.ts'
import { askerOf } from './limits/query-limits.ts'
import {
  EstimateAnswer,
  QueryAnswer,
  type QueryBody,
  QueryParameters,
  QueryRequestShape,
} from './query-shapes.ts'
import { CSV_MEDIA_TYPE, chooseForm, resultColumns } from './rows-response.ts'
import { type LimitedDependencies, READING_PROBLEMS, ROWS_TAG } from './rows-routes.ts'
import { Row } from './rows-shapes.ts'
import type { RowStreams } from './rows-stream.ts'
import {
  type AskOptions,
  estimateJson,
  mayBecomeDataset,
  type PreparedQuery,
  prepareInTime,
  prepareQuery,
  requireTriable,
  runInline,
  sourcesJson,
  trialOf,
} from './run-query.ts'

const ANSWER: AnswerDoc = {
  status: 200,
  description: 'The result.',
  shape: QueryAnswer,
  alternatives: { [NDJSON_MEDIA_TYPE]: Row, [CSV_MEDIA_TYPE]: Row },
}

const LATER: AnswerDoc = {
  status: 202,
  description: 'The result becomes a dataset, which is shown as `GET /v1/datasets/{dataset}` does.',
  shape: z.record(z.string(), z.unknown()).meta({ example: { name: 'ds-1', state: 'queued' } }),
  headers: {
    Location: 'The status of the dataset.',
    'Content-Location': 'The dataset.',
    'Retry-After': 'Seconds to wait.',
    'Preference-Applied': 'What was preferred, and done.',
  },
}

type QueryDependencies = LimitedDependencies & { readonly answerLater: AnswerLater }

const query = (deps: QueryDependencies, streams: RowStreams) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/query',
      operationId: 'query',
      tag: ROWS_TAG,
      permission: 'in-use-case',
      summary: 'Ask a question of a snapshot of a table',
      description:
        'Rows, groups of them, or what a SELECT gives. What has at most 10,000 rows and 8 MiB, ' +
        'or as settings and properties of the table say, comes in the response. One that may be ' +
        'larger is tried for as long as `Prefer: wait=N` says, at most 10 seconds; with ' +
        '`Prefer: respond-async` or `inline=require` it is not tried. What does not fit becomes ' +
        'a dataset (202), and with `inline=require` it is 413.',
      query: QueryParameters,
      body: QueryRequestShape,
      changesNothing: true,
      standingHeaders: deps.limits.headers,
      answers: [ANSWER, LATER],
      problems: READING_PROBLEMS,
      curl:
        `curl $MORAINE/v1/query --json '{"source": {"table": "aviation.flights"}, ` +
        `"group_by": ["origin"], "aggregates": [{"function": "count"}]}'`,
    },
    async (call) => {
      const { body, query: parameters, closed } = call
      const form = chooseForm(parameters.format, call.accepts)
      const { principal, request } = call
      const preferences = parsePrefer(request.headers['prefer'])
      const waiting = { closed, wait: new Wait(), waitSeconds: preferences.waitSeconds }
      const prepared = await prepareInTime({ ...waiting, ...shown(call) }, (options) =>
        deps.limits.prepare({ principal, request, closed: options.closed }, () =>
          prepareQuery(deps, body, options),
        ),
      )
      const options = { preferences, isInlineRequired: parameters.inline === 'require' }
      const { cost } = prepared.estimate
      const tried = async () => {
        requireTriable(prepared, options)
        return await streams.withParts({ asker: askerOf(call), closed }, async (parts) => {
          const { value: found, headers } = await inTime(trialOf(prepared, waiting), (signal) =>
            deps.limits.inTurn({ principal, request, closed: signal }, cost, (onRead) =>
              runInline(deps, prepared, { form, onRead, signal, parts }),
            ),
          )
          const { result } = found
          const members = { sources: sourcesJson(prepared.tables), columns: resultColumns(result) }
          return await parts.reply(form, { result, members, headers }, closed)
        })
      }
      try {
        return await tried()
      } catch (error) {
        if (!mayBeLater(prepared, options) || !isTooLarge(error)) throw error
        // Who may make nothing is told why only if that was asked for.
        if (!call.mayChange && !preferences.isAsync) throw error
        return await answerLater(deps, call, { ...options, prepared })
      }
    },
  )

/** Lets queries see what is left of tables that policies restrict. */
function shown({ authorize, authorizeFound, policyOn }: Call<unknown, QueryBody>) {
  const asking: AskOptions['authorize'] = (privilege, targets) =>
    authorize(privilege, targets, 'filtered')
  return { authorize: asking, authorizeFound, policyOn }
}

function mayBeLater(
  prepared: PreparedQuery,
  { isInlineRequired }: { readonly isInlineRequired: boolean },
): boolean {
  return mayBecomeDataset(prepared) && !isInlineRequired
}

function isTooLarge(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'result-too-large'
}

function answerLater(
  deps: QueryDependencies,
  call: Call<unknown, QueryBody>,
  {
    preferences,
    prepared,
  }: { readonly preferences: Preferences; readonly prepared: PreparedQuery },
): Promise<Reply> {
  const { keeper } = call
  const later = { call, preferences, keeper, costBytes: prepared.estimate.cost }
  if (prepared.kind === 'sql') return deps.answerLater({ ...later, sql: prepared })
  const { source, sql: _, ...asked } = call.body
  if (source === undefined) throw new Error('a query of a table has a source')
  const selector = selectorOf(source)
  return deps.answerLater({ ...later, table: source.table, selector, query: asked })
}

const estimate = (deps: LimitedDependencies) =>
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
      standingHeaders: deps.limits.headers,
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
        'quota-exceeded',
        'storage-full',
      ],
      curl:
        `curl $MORAINE/v1/query/estimate --json '{"source": {"table": "aviation.flights"}, ` +
        `"filter": "flight_id = 4242"}'`,
    },
    async (call) => {
      const prepared = await deps.limits.prepare(call, () =>
        prepareQuery(deps, call.body, { ...shown(call), closed: call.closed }),
      )
      return jsonReply(estimateJson(prepared))
    },
  )

export function queryRoutes(deps: QueryDependencies, streams: RowStreams): readonly Route[] {
  return [query(deps, streams), estimate(deps)]
}
