import { z } from 'zod'
import type { CreatedDataset } from '../../../catalog/dataset-store.ts'
import { onTable } from '../../../http/permission.ts'
import { jsonReply } from '../../../http/reply.ts'
import { type Call, defineRoute, type Route } from '../../../http/route.ts'
import { answerDump } from '../../dumps/http/dump-answer.ts'
import { DUMP_ANSWERS, DUMP_PROBLEMS } from '../../dumps/http/dump-docs.ts'
import { type DumpService, findDump } from '../../dumps/http/dump-resource.ts'
import { RowFilterText } from '../../rows/rows-shapes.ts'
import { prepareQuery } from '../../rows/run-query.ts'
import { datasetToJson } from '../dataset-response.ts'
import { DatasetAnswer, DatasetStatus } from '../dataset-shapes.ts'
import { findDataset, requireNotGone } from '../find-dataset.ts'
import { type DatasetWish, type KeptOf, makeDataset, UNDESCRIBED } from '../make-dataset.ts'
import { makeInTurn } from '../make-in-turn.ts'
import { RETRY_AFTER_SECONDS, statusReply } from '../wait-for-rows.ts'
import { DATASETS_TAG, type DatasetService, OF_DATASET } from './dataset-forms.ts'

type DataService = DatasetService & { dumpService(): DumpService }

const MaterialiseQuery = z.strictObject({
  materialise: z.enum(['true']).meta({ description: 'The rows become a dataset.' }),
  filter: RowFilterText.optional(),
})
const Materialised = z.strictObject({ dataset_url: z.string(), status_url: z.string() }).meta({
  id: 'MaterialisedRecords',
  example: {
    dataset_url: '/data/datasets/ds-9f86d081884c7d659a2feaa0',
    status_url: '/data/datasets/ds-9f86d081884c7d659a2feaa0/status',
  },
})

/** Addresses of an older service. */
export function dataRoutes(service: DataService): readonly Route[] {
  return [materialise(service), records(service), ...datasets(service)]
}

const materialise = (service: DataService) =>
  defineRoute(
    {
      method: 'post',
      path: '/data/{table_identifier}/records',
      operationId: 'materialiseRecords',
      tag: DATASETS_TAG,
      permission: onTable('select'),
      summary: 'Make a dataset of the rows of a table, as an older service did',
      description: 'As `POST /v1/datasets`, without a name; the response never waits.',
      query: MaterialiseQuery,
      standingHeaders: service.limits.headers,
      answers: [
        {
          status: 202,
          description: 'It is being made, or there.',
          shape: Materialised,
          headers: { Location: 'Its status.', 'Retry-After': 'Seconds to wait.' },
        },
      ],
      problems: [
        'table-not-found',
        'name-invalid',
        'snapshot-not-found',
        'filter-invalid',
        'quota-exceeded',
      ],
      curl: 'curl -X POST "$MORAINE/data/aviation.flights/records?materialise=true"',
    },
    async (call) => {
      const { param, query, keeper } = call
      const wish = { ...UNDESCRIBED, asker: call, source: param('table_identifier'), selector: {} }
      const replyTo = (name: string) => {
        const dataset_url = `/data/datasets/${name}`
        const value = { dataset_url, status_url: `${dataset_url}/status` }
        const retry = { 'Retry-After': String(RETRY_AFTER_SECONDS) }
        return { status: 202, headers: { Location: value.status_url, ...retry }, value }
      }
      const kept: KeptOf = ({ name }) => keeper.withEffect(replyTo(name))
      const { dataset } = await made(service, call, { wish, filter: query.filter, kept })
      const { value, ...rest } = replyTo(dataset.name)
      return jsonReply(value, rest)
    },
  )

/** All rows, or those of a filter, which a job makes. */
async function made(
  service: DataService,
  call: Call<unknown, unknown>,
  {
    wish,
    filter,
    kept,
  }: {
    readonly wish: Omit<DatasetWish, 'query'>
    readonly filter: string | undefined
    readonly kept: KeptOf
  },
): Promise<CreatedDataset> {
  if (filter === undefined) return makeDataset(service, { ...wish, query: undefined }, kept)
  const query = { filter }
  const body = { source: { table: wish.source }, ...query }
  const prepared = await service.limits.prepare(call, () => prepareQuery(service, body, call))
  const costBytes = prepared.estimate.cost
  return makeInTurn(service, { call, costBytes }, (asked) =>
    makeDataset(service, { ...wish, asked, query }, kept),
  )
}

const records = (service: DataService) =>
  defineRoute(
    {
      method: 'get',
      path: '/data/{table_identifier}/records.csv.gz',
      operationId: 'downloadRecords',
      tag: DATASETS_TAG,
      permission: onTable('select', 'filtered'),
      summary: 'Download the rows of a table, as an older service gave them',
      description: 'As `/v1/tables/{table_identifier}/dump?format=csv&compression=gzip`.',
      answers: DUMP_ANSWERS,
      problems: [...DUMP_PROBLEMS, 'precondition-required'],
      curl: 'curl -fLOJ $MORAINE/data/aviation.flights/records.csv.gz',
    },
    async (call) => {
      const dumps = service.dumpService()
      const choice = { format: 'csv', compression: 'gzip' } as const
      return answerDump(dumps, call, await findDump(dumps, call, choice))
    },
  )

function datasets(service: DataService): readonly Route[] {
  const path = '/data/datasets/{dataset}'
  const get = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path, operationId: 'getDataDataset' },
      summary: 'Get a dataset, at the address of an older service',
      answers: [{ status: 200, description: 'The dataset.', shape: DatasetAnswer }],
      problems: ['dataset-not-found', 'dataset-gone'],
      curl: 'curl $MORAINE/data/datasets/flights-2024',
    },
    async (call) => {
      const dataset = await findDataset(service, { dataset: call.param('dataset') }, call)
      const nowMs = service.ambient.nowMs()
      requireNotGone(dataset, nowMs)
      return jsonReply(datasetToJson(dataset, nowMs))
    },
  )
  const status = defineRoute(
    {
      ...{ ...OF_DATASET, method: 'get', path: `${path}/status` as typeof path },
      operationId: 'getDataDatasetStatus',
      summary: 'Get the status of a dataset, at the address of an older service',
      answers: [{ status: 200, description: 'How far it is.', shape: DatasetStatus }],
      problems: ['dataset-not-found'],
      curl: 'curl $MORAINE/data/datasets/flights-2024/status',
    },
    (call) => statusReply(service, { dataset: call.param('dataset') }, call),
  )
  return [get, status]
}
