import type { z } from 'zod'
import {
  type CreatedDataset,
  type DatasetCard,
  type DatasetRecord,
  isUnfinished,
} from '../../../catalog/dataset-store.ts'
import { selectorOf } from '../../../http/common-shapes.ts'
import { cutPage, parsePageToken } from '../../../http/page-token.ts'
import { parsePrefer, Wait } from '../../../http/prefer.ts'
import { jsonReply, type Reply } from '../../../http/reply.ts'
import {
  type Call,
  defineRoute,
  type KeptFacts,
  type RepeatedCall,
  type Route,
} from '../../../http/route.ts'
import { ProblemError } from '../../../problem/problems.ts'
import { FINDING_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import { askerOf } from '../../rows/limits/query-limits.ts'
import {
  type AskOptions,
  prepareInTime,
  prepareQuery,
  prepareSql,
  type Waiting,
} from '../../rows/run-query.ts'
import { datasetToJson } from '../dataset-response.ts'
import {
  DatasetAnswer,
  DatasetListAnswer,
  DatasetPosition,
  DatasetStatus,
  DatasetVersionsAnswer,
  ListDatasetsQuery,
  MakeDatasetRequest,
  VERSIONS_MAX,
} from '../dataset-shapes.ts'
import {
  findDataset,
  type NamedDataset,
  notFound,
  requireNotGone,
  whyHidden,
} from '../find-dataset.ts'
import { type KeptOf, makeDataset } from '../make-dataset.ts'
import { makeInTurn } from '../make-in-turn.ts'
import { askForFormats, type FormatDependencies } from '../prepare-formats.ts'
import { makeSqlDataset } from '../sql-dataset.ts'
import { acceptedReply, requireMade, statusReply, waitForRows } from '../wait-for-rows.ts'
import { datasetChangeRoutes } from './dataset-change-routes.ts'
import {
  DATASET_FORMS,
  DATASET_PARAMETERS,
  DATASETS_TAG,
  type DatasetForm,
  type DatasetService,
  datasetReply,
  GONE,
  HEADERS,
  NEWEST,
  OF_DATASET,
} from './dataset-forms.ts'

type MakingService = DatasetService & FormatDependencies

const make = (service: MakingService) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/datasets',
      operationId: 'makeDataset',
      tag: DATASETS_TAG,
      permission: 'in-use-case',
      summary: 'Freeze a snapshot, or a query of one, as a dataset',
      description:
        'Of a whole snapshot, no bytes are copied; the rows of a query are written by a job: the ' +
        'response waits for it, for at most 10 seconds or `Prefer: wait=N`, and not at all with ' +
        '`respond-async`. Whatever becomes of the table, its snapshot stays for as long as ' +
        'the dataset lives: a week by default, for ever once it is published. Who asks for the ' +
        'same again gets the same dataset, which then lives as long as the longer of the two.',
      body: MakeDatasetRequest,
      standingHeaders: service.limits.headers,
      answers: [
        { status: 201, description: 'It is ready.', shape: DatasetAnswer, headers: HEADERS },
        { status: 200, description: 'It was there.', shape: DatasetAnswer, headers: HEADERS },
        {
          status: 202,
          description: 'Its rows or formats are being made.',
          shape: DatasetAnswer,
          headers: { Location: 'Its status.', 'Retry-After': 'Seconds to wait.' },
        },
      ],
      problems: [
        ...FINDING_PROBLEMS,
        'dataset-name-taken',
        'dataset-cancelled',
        'dataset-gone',
        'dataset-source-changed',
        'quota-exceeded',
        'query-invalid',
        'filter-invalid',
        'query-too-costly',
        'location-not-allowed',
        'as-at-invalid',
        'as-at-before-first-snapshot',
        'commit-state-unknown',
        'file-being-deleted',
      ],
      curl:
        "curl -X POST $MORAINE/v1/datasets -H 'Content-Type: application/json' -d '" +
        '{"name":"flights-2024","source":{"table":"aviation.flights"},"title":"Flights"}' +
        "'",
    },
    async (call) => {
      const { closed, keeper, request } = call
      const preferences = parsePrefer(request.headers['prefer'])
      const wait = new Wait()
      const waiting = { wait, waitSeconds: preferences.waitSeconds }
      const kept: KeptOf = ({ name: dataset, identity, tableUuid }, version) =>
        keeper.withEffect({
          ...{ status: 201, isProvisional: true },
          from: {
            dataset,
            identity,
            table_uuid: tableUuid,
            ...(version && { version: String(version) }),
          },
        })
      const { outcome, dataset } = await makeAsked(service, call, { kept, waiting })
      const { formats = [] } = call.body
      const asking = { formats, asker: askerOf(call) }
      const wished = outcome === 'exists' ? await askForFormats(service, dataset, asking) : dataset
      const made = await waitForRows(service, wished, { preferences, wait, closed })
      if (isUnfinished(made)) return acceptedReply(service, made, preferences)
      requireMade(made)
      return datasetReply(service, made, outcome === 'created' ? 201 : 200)
    },
    madeAgain(service),
  )

async function makeAsked(
  service: DatasetService,
  call: Call<unknown, z.output<typeof MakeDatasetRequest>>,
  { kept, waiting }: { readonly kept: KeptOf; readonly waiting: Waiting },
): Promise<CreatedDataset> {
  const { authorize, authorizeFound, body, closed, policyOn, principal, request } = call
  const preparing = <T>(prepare: (asking: AskOptions) => Promise<T>) =>
    prepareInTime({ ...waiting, authorize, authorizeFound, policyOn, closed }, (asking) =>
      service.limits.prepare({ principal, request, closed: asking.closed }, () => prepare(asking)),
    )
  const { name, ttl_seconds: ttlSeconds, sql, query, formats } = body
  const described = {
    name,
    asker: { authorize, authorizeFound, principal },
    card: cardOf(body),
    ttlMs: ttlSeconds * 1000,
    formats,
  }
  if (sql !== undefined) {
    const prepared = await preparing((asking) => prepareSql(service, sql, asking))
    const { cost: costBytes } = prepared.estimate
    return makeInTurn(service, { call, costBytes }, (asked) =>
      makeSqlDataset(service, { ...described, asked, sql: prepared }, kept),
    )
  }
  if (query !== undefined) {
    const { source, ...rest } = query
    const { estimate } = await preparing((asking) => prepareQuery(service, query, asking))
    const costBytes = estimate.cost
    const wish = { ...described, source: source.table, selector: selectorOf(source), query: rest }
    return makeInTurn(service, { call, costBytes }, (asked) =>
      makeDataset(service, { ...wish, asked }, kept),
    )
  }
  const { source } = body
  // One of the three, as the shape has seen to.
  if (source === undefined) throw new Error('a dataset without a source')
  await authorize('select', [{ on: 'table', name: source.table }])
  const wish = { ...described, source: source.table, selector: selectorOf(source) }
  if (formats === undefined) return makeDataset(service, { ...wish, query: undefined }, kept)
  return makeInTurn(service, { call, costBytes: 0 }, (asked) =>
    makeDataset(service, { ...wish, asked, query: undefined }, kept),
  )
}

const list = (service: DatasetService) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/datasets',
      operationId: 'listDatasets',
      tag: DATASETS_TAG,
      permission: { privilege: 'describe', on: 'namespace', target: () => [] },
      summary: 'List datasets',
      description: 'Every version that lives and that the caller may read, by name and version.',
      query: ListDatasetsQuery,
      answers: [{ status: 200, description: 'One page of datasets.', shape: DatasetListAnswer }],
      problems: ['page-token-invalid'],
      curl: 'curl $MORAINE/v1/datasets',
    },
    async ({ query, readBy }) => {
      const { page_size, page_token } = query
      const nowMs = service.ambient.nowMs()
      const after = page_token === undefined ? undefined : positionOf(page_token)
      const found = await service.catalog.datasets.list({
        ...(after !== undefined && { after }),
        ...{ limit: page_size + 1, nowMs, readBy: readBy() },
      })
      const { items, nextPageToken } = cutPage(found, page_size, (last) => [
        last.name,
        last.version,
      ])
      const datasets = items.map((dataset) => datasetToJson(dataset, nowMs))
      return jsonReply({ datasets, next_page_token: nextPageToken })
    },
  )

const versions = (service: DatasetService) =>
  defineRoute(
    {
      method: 'get',
      path: `${NEWEST}/versions`,
      parameters: DATASET_PARAMETERS,
      operationId: 'listDatasetVersions',
      tag: DATASETS_TAG,
      permission: 'in-use-case',
      summary: 'List the versions of a dataset, newest first',
      description: 'Those that ended, too; the last 1,000.',
      answers: [{ status: 200, description: 'Versions.', shape: DatasetVersionsAnswer }],
      problems: ['dataset-not-found'],
      curl: 'curl $MORAINE/v1/datasets/flights-2024/versions',
    },
    async ({ param, authorize }) => {
      const name = param('dataset')
      const all = await service.catalog.datasets.listVersions(name, VERSIONS_MAX)
      const seen: DatasetRecord[] = []
      let refusal: Error | undefined
      for (const dataset of all) {
        const why = await whyHidden(dataset, { dataset: name }, { authorize })
        if (why === undefined) seen.push(dataset)
        // Of those that the caller may know of.
        else if (why.code !== 'dataset-not-found') refusal ??= why
      }
      if (seen.length === 0) throw refusal ?? notFound(name, undefined)
      const nowMs = service.ambient.nowMs()
      return jsonReply({ versions: seen.map((dataset) => datasetToJson(dataset, nowMs)) })
    },
  )

function readingRoutes(service: DatasetService, form: DatasetForm): readonly Route[] {
  const { path, suffix, which, curl, namedBy } = form
  const get = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path, operationId: `getDataset${suffix}` },
      summary: `Get the ${which}`,
      answers: [
        { status: 200, description: 'The dataset.', shape: DatasetAnswer, headers: HEADERS },
      ],
      problems: GONE,
      curl: `curl ${curl}`,
    },
    async (call) => {
      const dataset = await findDataset(service, namedBy(call), call)
      requireNotGone(dataset, service.ambient.nowMs())
      return datasetReply(service, dataset, 200)
    },
  )

  const status = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path: `${path}/status` },
      operationId: `getDataset${suffix}Status`,
      summary: `Get the status of the ${which}`,
      answers: [{ status: 200, description: 'How far it is.', shape: DatasetStatus }],
      problems: ['dataset-not-found'],
      curl: `curl ${curl}/status`,
    },
    (call) => statusReply(service, namedBy(call), call),
  )

  return [get, status]
}

function positionOf(token: string) {
  const [name, version] = parsePageToken(token, DatasetPosition)
  return { name, version }
}

function cardOf(body: {
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly creators?: DatasetCard['creators'] | undefined
  readonly license?: string | undefined
  readonly keywords?: readonly string[] | undefined
}): DatasetCard {
  const { title = null, description = null, license = null } = body
  const { creators = [], keywords = [] } = body
  return { title, description, creators, license, keywords }
}

function madeAgain(service: DatasetService) {
  return async (from: KeptFacts, { first, authorize }: RepeatedCall): Promise<Reply> => {
    const dataset = await findDataset(service, await madeBy(service, from), { authorize })
    return datasetReply(service, dataset, first.status)
  }
}

/** The version that the first request made, or found: there may be a later one. */
async function madeBy({ catalog }: DatasetService, from: KeptFacts): Promise<NamedDataset> {
  const { dataset, version, identity, table_uuid: tableUuid } = from
  const name = String(dataset)
  const made = await catalog.datasets.find({ tableUuid: String(tableUuid) })
  const found =
    made ??
    (version === undefined
      ? await catalog.datasets.find({ name, identity: String(identity) })
      : await catalog.datasets.find({ name, version: Number(version) }))
  if (found === undefined) throw goneSince(name)
  return { dataset: name, version: String(found.version), isExact: true }
}

function goneSince(dataset: string): ProblemError {
  const detail = `What the first request got of ${dataset} was deleted: ask with another key`
  return new ProblemError('dataset-gone', detail, { facts: { dataset } })
}

export function datasetRoutes(service: MakingService): readonly Route[] {
  return [
    ...[make(service), list(service), versions(service)],
    ...DATASET_FORMS.flatMap((form) => readingRoutes(service, form)),
    ...datasetChangeRoutes(service),
  ]
}
